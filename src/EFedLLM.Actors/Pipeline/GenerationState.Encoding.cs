using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Generation;

namespace EFedLLM.Actors.Pipeline;

/// <summary>What differs when the session is one sequence through an encoder: one step, one result, and the end.</summary>
internal sealed partial class GenerationState
{
    private bool IsEncoding => _plan.Output != SequenceOutput.None;

    /// <summary>The head encoded the sequence.</summary>
    public IReadOnlyList<PipelineCommand> Encoded(SequenceEncoded message, TimeSpan now)
    {
        _commands.Clear();
        if (_phase is not (Phase.Running or Phase.Probing))
        {
            return _commands;
        }

        var isWanted = IsEncoding && message.Rows == _plan.Tokens.Length && _fed == message.Rows && message.Values.Length == _plan.OutputWidth && message.HopMicroseconds.Length == Hops;
        if (!isWanted || !IsFinite(message.Values.Span))
        {
            Distrust(Hops - 1, "it gave a result that was not asked for.", now);
            return _commands;
        }

        Advance(message.Rows, message.HopMicroseconds);
        _commands.Add(new TellClient(new TextEncoded(_plan.Prompt, message.Values)));
        Finish(FinishReason.Stop, "", now);
        return _commands;
    }

    private static bool IsFinite(ReadOnlySpan<float> values)
    {
        foreach (var value in values)
        {
            if (!float.IsFinite(value))
            {
                return false;
            }
        }

        return true;
    }
}
