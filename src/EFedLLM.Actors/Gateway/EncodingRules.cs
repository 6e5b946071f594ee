using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Blocks;

namespace EFedLLM.Actors.Gateway;

/// <summary>Which prompts a model can do anything with: one that generates and one that encodes are asked for different things.</summary>
internal static class EncodingRules
{
    /// <summary>What is wrong with asking a model so, for people; null when nothing is.</summary>
    public static string? Problem(Prompt prompt, GatewayModel model)
    {
        var (shape, name) = (model.Shape, model.Served.Name);
        if (shape.Encoder is null)
        {
            return prompt.Output == SequenceOutput.None
                ? null
                : $"The model '{name}' generates text and makes no embeddings. Ask an encoder, for example a BERT.";
        }

        if (prompt.Output == SequenceOutput.None)
        {
            return $"The model '{name}' is an encoder: it generates no text. Ask it for embeddings (/v1/embeddings), or another model for an answer.";
        }

        if (prompt.ScorePrompt)
        {
            return $"The model '{name}' is an encoder: it says of no text how likely it is.";
        }

        return shape.OutputWidth(prompt.Output) == 0 ? $"The model '{name}' has no {prompt.Output.ToString().ToLowerInvariant()}."
            : prompt.Input.Messages is not null ? $"The model '{name}' is an encoder: it takes text or token ids, and no chat."
            : null;
    }
}
