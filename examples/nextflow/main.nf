// A plate in parts under Nextflow, here or on a cluster:
//
//   nextflow run examples/nextflow/main.nf --images plate.zarr --model run --out verdicts --shards 20
//
// With `-process.executor slurm` every part is a job of its own. All parts read and write the same
// folders, which every machine must see; nothing is staged.
nextflow.enable.dsl = 2

params.images = null
params.model = null
params.out = 'verdicts'
params.shards = 20

process SHARD {
    tag "${shard}/${params.shards}"
    cpus 1
    memory '4 GB'
    time '1h'
    errorStrategy 'retry'
    maxRetries 3

    input:
    val shard

    output:
    val shard

    script:
    """
    livewell assess '${file(params.images)}' --model '${file(params.model)}' \
      --out '${file(params.out)}' --shard ${shard}/${params.shards}
    """
}

process GATHER {
    memory '4 GB'
    time '30m'

    input:
    val shards

    output:
    stdout

    script:
    """
    livewell gather '${file(params.out)}'
    """
}

workflow {
    if (!params.images || !params.model) {
        error('Name the images and the model: --images FOLDER --model FOLDER')
    }
    SHARD(Channel.of(1..params.shards))
    GATHER(SHARD.out.collect())
    GATHER.out.view()
}
