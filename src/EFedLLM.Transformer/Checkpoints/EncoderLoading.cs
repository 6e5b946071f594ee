using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>Puts an encoder's weights together from whatever gives its matrices and vectors by their places in <see cref="EncoderLayout"/>.</summary>
internal static class EncoderLoading
{
    /// <param name="shape">The model's shape.</param>
    /// <param name="table">Gives the table of a site.</param>
    /// <param name="vector">Gives a vector by its name inside the unit.</param>
    public static EncoderEmbeddingWeights Embedding(ModelShape shape, Func<int, IEmbedding> table, Func<string, float[]> vector) =>
        new(table(0), table(1), table(2), Norm(EncoderLayout.Norms(shape, 0)[0], vector));

    /// <param name="shape">The model's shape.</param>
    /// <param name="matrix">Gives the matrix of a site.</param>
    /// <param name="vector">Gives a vector by its name inside the unit.</param>
    public static EncoderLayerWeights Layer(ModelShape shape, Func<int, LinearLayer> matrix, Func<string, float[]> vector)
    {
        var norms = EncoderLayout.Norms(shape, 1);
        return new EncoderLayerWeights
        {
            Query = matrix(0),
            Key = matrix(1),
            Value = matrix(2),
            AttentionOutput = matrix(3),
            AttentionNorm = Norm(norms[0], vector),
            Intermediate = matrix(4),
            Output = matrix(5),
            OutputNorm = Norm(norms[1], vector),
        };
    }

    /// <param name="shape">The model's shape.</param>
    /// <param name="matrix">Gives the matrix of a site.</param>
    public static EncoderHeadWeights Head(ModelShape shape, Func<int, LinearLayer> matrix) =>
        shape.Encoder!.Classes == 0 ? new(null, null) : new(matrix(0), matrix(1));

    private static LayerNormWeights Norm(string name, Func<string, float[]> vector) => new(vector(name + ".weight"), vector(name + ".bias"));
}
