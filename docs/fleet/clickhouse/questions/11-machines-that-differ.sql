-- Which machines have other flags than most machines with the same kernel?
WITH usual AS
(
    SELECT kernel, mask FROM taintwatch.newest
    GROUP BY kernel, mask
    ORDER BY count() DESC, mask
    LIMIT 1 BY kernel
)
SELECT newest.host AS host, newest.kernel AS kernel, newest.mask AS mask, usual.mask AS usual
FROM taintwatch.newest AS newest
INNER JOIN usual ON usual.kernel = newest.kernel
WHERE newest.mask != usual.mask
ORDER BY host;
