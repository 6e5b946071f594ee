using EFedLLM.Actors.Configuration;

namespace EFedLLM.Actors.Pipeline;

/// <summary>How long a session's steps take, and so how long to wait for one before its hops are asked whether they are there.</summary>
/// <param name="limits">What is waited while nothing is known, and at most.</param>
internal sealed class StepPace(NodeLimits limits)
{
    /// <summary>A step may take so many times as long as the slowest lately.</summary>
    private const int Slack = 8;

    /// <summary>A slow step counts for about so many steps after it.</summary>
    private const int Memory = 16;

    // Other sessions' prompts, garbage collections and busy machines hold a step up for as long.
    private static readonly TimeSpan Least = TimeSpan.FromSeconds(1);

    private TimeSpan? _slowest;

    /// <summary>A step took so long from one token to the next.</summary>
    public void Took(TimeSpan time)
    {
        var faded = _slowest - (_slowest / Memory);
        _slowest = faded > time ? faded : time;
    }

    /// <summary>How long to wait for progress.</summary>
    /// <param name="rows">Positions under way.</param>
    /// <param name="again">Whether all hops have answered since it was last waited in vain.</param>
    /// <param name="attempts">How often the route was opened anew since the session came on.</param>
    public TimeSpan Patience(int rows, bool again, int attempts)
    {
        var (step, row) = (limits.StepDeadline, limits.RowDeadline);
        if (_slowest is { } slowest)
        {
            var wanted = Math.Max(Least.Ticks, slowest.Ticks * Slack) * (again ? 4L : 1L) * (1L << Math.Clamp(attempts, 0, 8));
            step = TimeSpan.FromTicks(Math.Min(step.Ticks, wanted));
            row = TimeSpan.FromTicks(Math.Min(row.Ticks, Math.Max(slowest.Ticks * 2, TimeSpan.TicksPerMillisecond)));
        }

        return step + (Math.Max(rows, 0) * row);
    }
}
