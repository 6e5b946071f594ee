using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Tests.Blocks;

/// <summary>
/// The forward pass of Hugging Face's Llama, Mistral, Qwen2 and Qwen3 classes in float64 over a whole text at once, but for
/// keys and values, which are rounded to halves; with no cache, batch or kernel, straight from the checkpoint's tensors: what
/// the shard is compared with.
/// </summary>
internal sealed class PlainTransformer(Checkpoint checkpoint)
{
    private readonly ModelShape _shape = checkpoint.Shape;

    /// <summary>The logits of every position.</summary>
    public double[][] Logits(int[] tokens)
    {
        var table = Matrix("model.embed_tokens.weight", _shape.VocabularySize, _shape.HiddenSize);
        var hidden = tokens.Select(token => table[token].ToArray()).ToArray();
        for (var layer = 0; layer < _shape.Layers; layer++)
        {
            var name = $"model.layers.{layer}.";
            AddTo(hidden, Attention(name + "self_attn.", Norm(hidden, name + "input_layernorm.weight")));
            AddTo(hidden, FeedForward(name + "mlp.", Norm(hidden, name + "post_attention_layernorm.weight")));
        }

        var head = _shape.TiedEmbeddings ? table : Matrix("lm_head.weight", _shape.VocabularySize, _shape.HiddenSize);
        return [.. Norm(hidden, "model.norm.weight").Select(row => Apply(head, row))];
    }

    private double[][] Attention(string name, double[][] x)
    {
        var (heads, groups, size) = (_shape.Heads, _shape.Heads / _shape.KeyValueHeads, _shape.HeadSize);
        var queries = Heads(Linear(name + "q_proj", x, heads * size), name + "q_norm.weight");
        var keys = Kept(Heads(Linear(name + "k_proj", x, _shape.KeyValueHeads * size), name + "k_norm.weight"));
        var values = Kept(Linear(name + "v_proj", x, _shape.KeyValueHeads * size));
        var result = x.Select(_ => new double[heads * size]).ToArray();
        for (var row = 0; row < x.Length; row++)
        {
            var first = _shape.SlidingWindow is { } window ? Math.Max(0, row - window + 1) : 0;
            for (var head = 0; head < heads; head++)
            {
                var source = head / groups * size;
                var weights = Enumerable.Range(first, row - first + 1)
                    .Select(seen => Math.Exp(Enumerable.Range(0, size).Sum(i => queries[row][head * size + i] * keys[seen][source + i]) / Math.Sqrt(size)))
                    .ToArray();
                for (var i = 0; i < size; i++)
                {
                    result[row][head * size + i] = weights.Select((weight, seen) => weight * values[first + seen][source + i]).Sum() / weights.Sum();
                }
            }
        }

        return Linear(name + "o_proj", result, _shape.HiddenSize);
    }

    private double[][] FeedForward(string name, double[][] x)
    {
        var gates = Linear(name + "gate_proj", x, _shape.IntermediateSize);
        var ups = Linear(name + "up_proj", x, _shape.IntermediateSize);
        var product = gates.Zip(ups, (gate, up) => gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u).ToArray()).ToArray();
        return Linear(name + "down_proj", product, _shape.HiddenSize);
    }

    /// <summary>Norms each head where the model does so, then rotates it.</summary>
    private double[][] Heads(double[][] rows, string norm)
    {
        var (size, half) = (_shape.HeadSize, _shape.HeadSize / 2);
        var gain = _shape.QueryKeyNorm ? Vector(norm, size) : null;
        for (var position = 0; position < rows.Length; position++)
        {
            for (var start = 0; start < rows[position].Length; start += size)
            {
                var head = rows[position][start..(start + size)];
                head = gain is null ? head : Norm(head, gain);
                for (var i = 0; i < half; i++)
                {
                    var angle = position * Frequency(i);
                    rows[position][start + i] = head[i] * Math.Cos(angle) - head[i + half] * Math.Sin(angle);
                    rows[position][start + i + half] = head[i + half] * Math.Cos(angle) + head[i] * Math.Sin(angle);
                }
            }
        }

        return rows;
    }

    private double Frequency(int pair)
    {
        var frequency = 1 / Math.Pow(_shape.Rope.Theta, 2.0 * pair / _shape.HeadSize);
        if (_shape.Rope.Scaling is not { } scaling)
        {
            return frequency;
        }

        if (scaling.Kind == RopeScalingKind.Linear)
        {
            return frequency / scaling.Factor;
        }

        var wavelength = 2 * Math.PI / frequency;
        if (wavelength < scaling.OriginalContextLength / scaling.HighFrequencyFactor)
        {
            return frequency;
        }

        if (wavelength > scaling.OriginalContextLength / scaling.LowFrequencyFactor)
        {
            return frequency / scaling.Factor;
        }

        var smooth = (scaling.OriginalContextLength / wavelength - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor);
        return (1 - smooth) * frequency / scaling.Factor + smooth * frequency;
    }

    private double[][] Norm(double[][] rows, string gain)
    {
        var values = Vector(gain, _shape.HiddenSize);
        return [.. rows.Select(row => Norm(row, values))];
    }

    private double[] Norm(double[] row, double[] gain)
    {
        var scale = 1 / Math.Sqrt(row.Sum(value => value * value) / row.Length + _shape.NormEpsilon);
        return [.. row.Zip(gain, (value, factor) => value * scale * factor)];
    }

    private double[][] Linear(string name, double[][] rows, int outputs)
    {
        var weights = Matrix(name + ".weight", outputs, rows[0].Length);
        var bias = checkpoint.Contains(name + ".bias") ? Vector(name + ".bias", outputs) : new double[outputs];
        return [.. rows.Select(row => Apply(weights, row).Zip(bias, (value, add) => value + add).ToArray())];
    }

    private static double[] Apply(double[][] weights, double[] row) => [.. weights.Select(line => line.Zip(row, (weight, value) => weight * value).Sum())];

    /// <summary>Keys and values are attended to as a cache keeps them.</summary>
    private static double[][] Kept(double[][] rows) => [.. rows.Select(row => row.Select(value => (double)(Half)value).ToArray())];

    private static void AddTo(double[][] rows, double[][] others)
    {
        for (var row = 0; row < rows.Length; row++)
        {
            for (var i = 0; i < rows[row].Length; i++)
            {
                rows[row][i] += others[row][i];
            }
        }
    }

    private double[] Vector(string name, int length) => [.. checkpoint.Read(name, length).Select(value => (double)value)];

    private double[][] Matrix(string name, int rows, int columns) =>
        [.. checkpoint.Read(name, rows, columns).Select(value => (double)value).Chunk(columns)];
}
