using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Pipeline;

/// <summary>What differs when the prompt itself is scored: what was computed says how likely the tokens behind it were.</summary>
internal sealed partial class GenerationState
{
    private int _scored;

    /// <summary>The first position of which it is not known what the head gave: a score, or the draw after the last one.</summary>
    private int Lacking => IsScoring ? _scored : Known - 1;

    private bool IsScoring => _plan.ScorePrompt && _scored < _plan.Tokens.Length - 1;

    /// <summary>Tells whoever asked of scores that are new.</summary>
    /// <returns>False where they are not the prompt's.</returns>
    private bool Scores(RowsComputed message)
    {
        var scores = message.Scores.IsDefault ? [] : message.Scores;

        // After a repair, tokens of the answer are computed again together with the prompt's.
        if (scores.Length != (_plan.ScorePrompt ? Math.Clamp(_plan.Tokens.Length - 1 - message.Position, 0, message.Rows) : 0))
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

    /// <summary>What comes after scores came without them.</summary>
    private void RecoverScores(TimeSpan now)
    {
        _trouble = $"{_plan.Describe(_current.Route.Hops[^1])}: the scores from position {_scored} on did not come.";
        Recover(now);
    }
}
