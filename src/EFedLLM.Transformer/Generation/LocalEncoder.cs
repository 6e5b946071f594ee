using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Generation;

/// <summary>One whole encoder in one process: what a cluster of devices is compared with, bit by bit. One call at a time.</summary>
public sealed class LocalEncoder : IDisposable
{
    private readonly TransformerShard _shard;
    private readonly ComputeTeam _team;

    /// <summary>Loads a whole model.</summary>
    /// <param name="source">The model, which must outlive the encoder.</param>
    /// <param name="team">The threads that compute; they stay the caller's.</param>
    /// <exception cref="NotSupportedException">The model is no encoder.</exception>
    /// <exception cref="InvalidDataException">The weights are damaged.</exception>
    public LocalEncoder(IModelSource source, ComputeTeam team)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(team);
        if (source.Shape.Encoder is null)
        {
            throw new NotSupportedException($"\"{source.Folder}\" holds a {source.Shape.Architecture}, which generates text: only an encoder makes vectors of whole texts.");
        }

        (_team, _shard) = (team, TransformerShard.Load(source, LayerRange.Whole(source.Shape.Layers)));
    }

    /// <summary>The model's hyper-parameters.</summary>
    public ModelShape Shape => _shard.Shape;

    /// <summary>Encodes one sequence.</summary>
    /// <param name="tokens">Token ids with the special ones, 1 to the context's length.</param>
    /// <param name="output">What is wanted.</param>
    /// <returns>[<see cref="ModelShape.OutputWidth"/>].</returns>
    /// <exception cref="ArgumentException">There are no tokens, too many, or one is outside of the vocabulary; or the model gives no such output.</exception>
    /// <exception cref="ArithmeticException">The model computed a value that is not finite.</exception>
    public float[] Encode(ReadOnlyMemory<int> tokens, SequenceOutput output) => Encode([tokens], output)[0];

    /// <summary>Encodes several sequences as one batch. Each result has the bits that the sequence gets by itself.</summary>
    /// <param name="sequences">Token ids of each, with the special ones.</param>
    /// <param name="output">What is wanted.</param>
    /// <returns>[<see cref="ModelShape.OutputWidth"/>] for each.</returns>
    /// <exception cref="ArgumentException">There are no sequences, or one is empty, too long, or has an id outside of the vocabulary; or the model gives no such output.</exception>
    /// <exception cref="ArithmeticException">The model computed a value that is not finite.</exception>
    public float[][] Encode(IReadOnlyList<ReadOnlyMemory<int>> sequences, SequenceOutput output)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        var width = Shape.OutputWidth(output);
        if (width == 0)
        {
            throw new ArgumentException($"{Shape.Architecture} does not give {output}.", nameof(output));
        }

        var steps = new ShardStep[sequences.Count];
        var results = new float[sequences.Count][];
        for (var i = 0; i < steps.Length; i++)
        {
            var tokens = sequences[i];
            if (tokens.IsEmpty || tokens.Length > Shape.ContextLength)
            {
                throw new ArgumentException($"Sequence {i} has {tokens.Length} tokens; the model takes 1 to {Shape.ContextLength}. Cut the text into shorter ones.", nameof(sequences));
            }

            results[i] = new float[width];
            steps[i] = new ShardStep { Cache = _shard.CreateCache(tokens.Length), Count = tokens.Length, Tokens = tokens, Output = output, Logits = results[i] };
        }

        _shard.Forward(steps, _team);
        return results;
    }

    /// <summary>Releases the weights.</summary>
    public void Dispose() => _shard.Dispose();
}
