using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression;

/// <summary>Counts the bytes of finished matrices for a listener, from several threads.</summary>
internal sealed class ProgressMeter
{
    private readonly Lock _gate = new();
    private readonly IProgress<CompressionProgress>? _listener;
    private readonly ModelShape _shape;
    private readonly long _total;
    private long _done;

    /// <param name="manifest">Says how many bytes there will be.</param>
    /// <param name="listener">Is told, one call at a time; or null.</param>
    public ProgressMeter(ModelManifest manifest, IProgress<CompressionProgress>? listener)
    {
        (_shape, _listener) = (manifest.Shape, listener);
        _total = manifest.Matrices.Sum(form => form.Bytes);
    }

    public void MatrixDone(MatrixForm form)
    {
        lock (_gate)
        {
            _done += form.Bytes;
            Report(form.Unit, $"{NameOf(form.Unit)}: {form.Name}");
        }
    }

    public void UnitDone(int unit)
    {
        lock (_gate)
        {
            Report(unit + 1, $"{NameOf(unit)}: written");
        }
    }

    private void Report(int unit, string stage) => _listener?.Report(new CompressionProgress(unit, _shape.Units, _done, _total, stage));

    private string NameOf(int unit) => unit == 0 ? "embedding" : unit <= _shape.Layers ? $"layer {unit - 1}" : "head";
}
