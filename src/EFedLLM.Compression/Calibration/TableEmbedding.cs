using EFedLLM.Compression.Quantization;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Compression.Calibration;

/// <summary>A quantised embedding in memory, with the values that it will be served with.</summary>
internal sealed class TableEmbedding(QuantizedMatrix table) : IEmbedding
{
    public int Rows => table.Outputs;

    public int Width => table.Inputs;

    public long BytesPerRow => table.PaddedInputs + (long)table.Groups * sizeof(ushort);

    public void Lookup(int token, Span<float> destination)
    {
        for (var i = 0; i < destination.Length; i++)
        {
            destination[i] = table.Weights[(long)token * table.PaddedInputs + i] * BFloat16.ToSingle(table.Scales[(long)token * table.Groups + i / table.Group]);
        }
    }
}
