using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Pipeline;

/// <summary>What differs when the prompt itself is scored: what was computed says how likely the tokens behind it were.</summary>
internal sealed partial class GenerationState
{
    private int _scored;

    /// <summary>Tells whoever asked of scores that are new.</summary>
    /// <returns>False where they are not the prompt's.</returns>
    private bool Scores(RowsComputed message)
    {
        var scores = message.Scores.IsDefault ? [] : message.Scores;
        if (scores.Length != (_plan.ScorePrompt ? message.Rows : 0))
        {
            return false;
        }

        for (var i = 0; i < scores.Length; i++)
        {
            if (scores[i].Id != _plan.Tokens[message.Position + i + 1] || !(scores[i].Logprob <= 0) || !float.IsFinite(scores[i].Logprob))
            {
                return false;
            }
        }

        // What is computed again after a repair was told before.
        var known = Math.Clamp(_scored - message.Position, 0, scores.Length);
        if (known < scores.Length)
        {
            _commands.Add(new TellClient(new PromptScored(_plan.Prompt, message.Position + known + 1, scores[known..])));
            _scored = message.Position + scores.Length;
        }

        return true;
    }
}
