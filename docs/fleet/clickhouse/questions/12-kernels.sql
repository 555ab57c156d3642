-- Which kernels run, on how many machines, and how many of those are tainted?
SELECT kernel, count() AS machines, countIf(mask != 0) AS tainted
FROM taintwatch.newest
GROUP BY kernel
ORDER BY machines DESC, kernel;
