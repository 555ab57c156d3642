-- How many machines have which flags, in their newest boots?
SELECT mask, count() AS machines
FROM taintwatch.newest
GROUP BY mask
ORDER BY machines DESC, mask;
