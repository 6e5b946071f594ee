using System.Diagnostics;

namespace EFedLLM.Compression;

/// <summary>The parts of a compression whose time is reported.</summary>
internal enum Stage
{
    Calibration,
    Factorisation,
    Rounding,
    Allocation,
    Writing,
}

/// <summary>Adds up what each stage takes. One caller at a time; a stage inside another counts for itself alone.</summary>
internal sealed class StageClock
{
    private readonly long[] _ticks = new long[Enum.GetValues<Stage>().Length];
    private Stage? _current;
    private long _since;

    /// <summary>The times so far.</summary>
    public StageTimes Times => new(Of(Stage.Calibration), Of(Stage.Factorisation), Of(Stage.Rounding), Of(Stage.Allocation), Of(Stage.Writing));

    /// <summary>Does some work on the account of a stage.</summary>
    public T Run<T>(Stage stage, Func<T> work)
    {
        var before = Switch(stage);
        try
        {
            return work();
        }
        finally
        {
            Switch(before);
        }
    }

    /// <summary>Does some work on the account of a stage.</summary>
    public void Run(Stage stage, Action work) => Run(stage, () =>
    {
        work();
        return 0;
    });

    private Stage? Switch(Stage? next)
    {
        var now = Stopwatch.GetTimestamp();
        if (_current is { } current)
        {
            _ticks[(int)current] += now - _since;
        }

        var before = _current;
        (_current, _since) = (next, now);
        return before;
    }

    private TimeSpan Of(Stage stage) => Stopwatch.GetElapsedTime(0, _ticks[(int)stage]);
}
