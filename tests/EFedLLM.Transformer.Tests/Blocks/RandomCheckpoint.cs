using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Tests.Checkpoints;

namespace EFedLLM.Transformer.Tests.Blocks;

/// <summary>A small checkpoint with random weights, of any supported architecture, for as long as a test lasts.</summary>
internal sealed class RandomCheckpoint : IDisposable
{
    private readonly ScratchFolder _folder = new();

    /// <param name="seed">Decides every weight.</param>
    /// <param name="changes">Keys of the tiny Llama configuration to set, as JSON.</param>
    public RandomCheckpoint(int seed, params (string Key, string? Json)[] changes)
    {
        var random = new Random(seed);
        var tensors = TinyCheckpoint.Tensors(_folder, TinyCheckpoint.With(changes));
        TinyCheckpoint.WriteWeights(_folder, "model.safetensors", tensors, (name, _) =>
        {
            var unit = random.Next(-1000, 1001) / 1000f;
            // Gains around 1; matrices so large that attention and gates are far from linear.
            return name.Contains("norm", StringComparison.OrdinalIgnoreCase) ? 1 + unit / 2 : name.Contains("bias", StringComparison.Ordinal) ? unit / 2 : unit * 0.7f;
        });
        Source = Checkpoint.Open(_folder.Path);
    }

    public Checkpoint Source { get; }

    public ModelShape Shape => Source.Shape;

    /// <summary>Random token ids.</summary>
    public int[] Tokens(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(Shape.VocabularySize))];
    }

    public void Dispose()
    {
        Source.Dispose();
        _folder.Dispose();
    }
}
