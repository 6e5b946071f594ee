using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Generation;

/// <summary>What predicts tokens is no encoder.</summary>
internal static class DecoderRule
{
    /// <exception cref="NotSupportedException">The model is an encoder.</exception>
    public static void Check(IModelSource source)
    {
        if (source.Shape.Encoder is not null)
        {
            throw new NotSupportedException($"\"{source.Folder}\" holds a {source.Shape.Architecture}, an encoder: it makes vectors of whole texts and predicts no tokens. Use a model that generates text.");
        }
    }
}
