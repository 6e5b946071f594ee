using System.Collections.Immutable;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Checkpoints;

/// <content>Units that stay on disk.</content>
public sealed partial class FactoredModel
{
    /// <summary>Opens the files of units that are read for every step. The stream is the caller's, and needs nothing of the model.</summary>
    internal WeightStream OpenStream(ImmutableArray<int> units) => new(units, OpenFile, Shape.Units);

    /// <summary>A layer where it lies at each pass of a stream that has not begun. It counts as none of the model's own weights.</summary>
    /// <exception cref="InvalidDataException">Its file is malformed.</exception>
    internal LayerWeights LoadLayer(int layer, WeightStream stream) => Load(layer + 1, stream, unit => Layer(unit, layer));

    /// <summary>The head where it lies at each pass of a stream that has not begun.</summary>
    /// <exception cref="InvalidDataException">Its file is malformed.</exception>
    internal HeadWeights LoadHead(WeightStream stream) => Load(Shape.Layers + 1, stream, Head);

    /// <summary>The embedding, whose rows are read when they are looked up. It is the caller's, and needs nothing of the model.</summary>
    /// <exception cref="FileNotFoundException">Its file is not there.</exception>
    /// <exception cref="InvalidDataException">Its file is malformed.</exception>
    internal FileEmbedding OpenEmbedding()
    {
        var form = Manifest.MatricesOf(0)[0];
        using var unit = FactoredUnit.Open(_locate(Manifest.Files[0]), Manifest, 0, inMemory: false);
        var (table, scales) = unit.TableOffsets(form);
        return new FileEmbedding(form.Outputs, form.Inputs, OpenFile(0), table, scales);
    }

    private UnitReader OpenFile(int unit)
    {
        var file = Manifest.Files[unit];
        return new UnitReader(_locate(file), file.Bytes);
    }

    private T Load<T>(int unit, WeightStream stream, Func<FactoredUnit, T> take)
    {
        var (path, window, length) = stream.ReadOnce(unit);
        using var opened = FactoredUnit.Over(path, window, length, Manifest, unit);
        return take(opened);
    }
}
