using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Tests.Blocks;

/// <summary>A BERT in float64, written down plainly from its definition and from the checkpoint's own names.</summary>
internal sealed class PlainEncoder(Checkpoint checkpoint)
{
    private readonly ModelShape _shape = checkpoint.Shape;

    /// <summary>The last layer's output, [positions][hidden].</summary>
    public double[][] Hidden(int[] tokens)
    {
        const string Embeddings = "bert.embeddings.";
        var hidden = tokens.Select((token, position) => Norm(
            Embeddings + "LayerNorm",
            [.. Enumerable.Range(0, _shape.HiddenSize).Select(i =>
                Row(Embeddings + "word_embeddings.weight", _shape.VocabularySize, token, i)
                + Row(Embeddings + "position_embeddings.weight", _shape.ContextLength, position, i)
                + Row(Embeddings + "token_type_embeddings.weight", _shape.Encoder!.TokenTypes, 0, i))])).ToArray();
        for (var layer = 0; layer < _shape.Layers; layer++)
        {
            hidden = Layer($"bert.encoder.layer.{layer}.", hidden);
        }

        return hidden;
    }

    /// <summary>The logits of the classes.</summary>
    public double[] Classes(int[] tokens)
    {
        var pooled = Linear("bert.pooler.dense", Hidden(tokens)[0], _shape.HiddenSize).Select(Math.Tanh).ToArray();
        return Linear("classifier", pooled, _shape.Encoder!.Classes);
    }

    private double[][] Layer(string name, double[][] x)
    {
        var (hidden, size) = (_shape.HiddenSize, _shape.HeadSize);
        var query = x.Select(row => Linear(name + "attention.self.query", row, hidden)).ToArray();
        var key = x.Select(row => Linear(name + "attention.self.key", row, hidden)).ToArray();
        var value = x.Select(row => Linear(name + "attention.self.value", row, hidden)).ToArray();
        var attended = query.Select(own =>
        {
            var result = new double[hidden];
            for (var head = 0; head < _shape.Heads; head++)
            {
                var part = Enumerable.Range(head * size, size).ToArray();
                var scores = key.Select(other => Math.Exp(part.Sum(i => own[i] * other[i]) / Math.Sqrt(size))).ToArray();
                foreach (var i in part)
                {
                    result[i] = scores.Zip(value, (score, other) => score * other[i]).Sum() / scores.Sum();
                }
            }

            return result;
        }).ToArray();
        var between = x.Zip(attended, (row, result) => Norm(name + "attention.output.LayerNorm", Sum(row, Linear(name + "attention.output.dense", result, hidden))));
        return [.. between.Select(row => Norm(
            name + "output.LayerNorm",
            Sum(row, Linear(name + "output.dense", [.. Linear(name + "intermediate.dense", row, _shape.IntermediateSize).Select(Gelu)], hidden))))];
    }

    private static double[] Sum(double[] a, double[] b) => [.. a.Zip(b, (left, right) => left + right)];

    /// <summary>x Φ(x), with the power series of Φ: the values of a small model do not lie far out.</summary>
    private static double Gelu(double x)
    {
        var (term, sum) = (x, x);
        for (var n = 1; n < 200; n++)
        {
            term *= x * x / (2 * n + 1);
            sum += term;
        }

        return x * (0.5 + sum * Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI));
    }

    private double[] Norm(string name, double[] x)
    {
        var (gain, bias) = (checkpoint.Read(name + ".weight", x.Length), checkpoint.Read(name + ".bias", x.Length));
        var mean = x.Average();
        var deviation = Math.Sqrt(x.Average(value => (value - mean) * (value - mean)) + _shape.NormEpsilon);
        return [.. x.Select((value, i) => (value - mean) / deviation * gain[i] + bias[i])];
    }

    private double[] Linear(string name, double[] x, int outputs)
    {
        var (weights, bias) = (checkpoint.Read(name + ".weight", outputs, x.Length), checkpoint.Read(name + ".bias", outputs));
        return [.. Enumerable.Range(0, outputs).Select(o => x.Select((value, i) => value * weights[o * x.Length + i]).Sum() + bias[o])];
    }

    private double Row(string name, int rows, int row, int column) => checkpoint.Read(name, rows, _shape.HiddenSize)[row * _shape.HiddenSize + column];
}
