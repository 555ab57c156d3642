-- Which modules taint the most machines, in how many versions?
SELECT module, uniqExact(host) AS machines, uniqExact(version) AS versions, sum(count) AS occurrences
FROM taintwatch.settings
WHERE module != ''
GROUP BY module
ORDER BY machines DESC, module;
