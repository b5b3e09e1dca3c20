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
    tag "${shard}/${of}"
    cpus 1
    memory '4 GB'
    time '1h'
    errorStrategy 'retry'
    maxRetries 3

    input:
    tuple val(shard), val(of), val(images), val(model), val(out)

    output:
    val shard

    script:
    """
    livewell assess '${images}' --model '${model}' --out '${out}' --shard ${shard}/${of}
    """
}

process GATHER {
    memory '4 GB'
    time '30m'

    input:
    val shards
    val out

    output:
    val out

    script:
    """
    livewell gather '${out}'
    """
}

workflow {
    if (!params.images || !params.model) {
        error 'Name the images and the model: --images FOLDER --model FOLDER'
    }
    def images = file(params.images).toAbsolutePath()
    def model = file(params.model).toAbsolutePath()
    def out = file(params.out).toAbsolutePath()
    parts = Channel.of(1..params.shards)
        .map { shard -> tuple(shard, params.shards, images, model, out) }
    GATHER(SHARD(parts).collect(), out)
}
