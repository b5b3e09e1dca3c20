#!/usr/bin/env bash
# A plate on SLURM without any daemon: an array of jobs that each judge a part, then one that gathers.
#
#   bash examples/slurm/array.sh IMAGES MODEL OUT 20 --partition short --time 1:00:00
#
# What follows the number of parts goes to sbatch. Give the same command again after jobs failed,
# were cancelled or ran out of time: only what is missing is judged.
set -euo pipefail
images=$(realpath "$1") model=$(realpath "$2") out=$(realpath -m "$3") parts=$4
shift 4
mkdir -p "$out-logs"  # beside it: a folder of results is new, or of livewell

array=$(sbatch --parsable --array "1-$parts" --requeue --output "$out-logs/%a.log" "$@" <<END
#!/usr/bin/env bash
exec livewell assess '$images' --model '$model' --out '$out' --shard "\$SLURM_ARRAY_TASK_ID/$parts"
END
)
# afterany: what came of the parts that ended well is gathered, and the rest is named
sbatch --parsable --dependency "afterany:$array" --output "$out-logs/gather.log" "$@" <<END
#!/usr/bin/env bash
exec livewell gather '$out'
END
