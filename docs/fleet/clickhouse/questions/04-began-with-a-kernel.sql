-- Which warnings (W) occur on some kernels only? One that is on the newer ones alone began with the update.
WITH (SELECT uniqExact(kernel) FROM taintwatch.boots WHERE kernel != '') AS kernels
SELECT
    function, module, version, class,
    arraySort(groupUniqArray(boots.kernel)) AS on_kernels,
    uniqExact(settings.host) AS machines,
    min(settings.time) AS first
FROM taintwatch.settings AS settings
INNER JOIN taintwatch.boots AS boots ON boots.host = settings.host AND boots.boot_id = settings.boot_id
WHERE settings.bit = 9 AND boots.kernel != ''
GROUP BY function, module, version, class
HAVING length(on_kernels) < kernels
ORDER BY first DESC, function;
