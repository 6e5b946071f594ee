namespace EFedLLM.Actors.Layers;

/// <summary>
/// How many rows of prompts, repairs and checks a batch takes while somebody waits for a next token: so many that it lasts about twice
/// as long as with next tokens alone. What that takes is learnt from the batches.
/// </summary>
internal sealed class BatchPace
{
    /// <summary>Rows while too little is known.</summary>
    public const int FirstRows = 16;

    /// <summary>Rows that are always taken: with fewer, going on would cost more than waiting saves.</summary>
    public const int LeastRows = 4;

    /// <summary>For how long after a token the next one is waited for: it is somewhere between other hops.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    // What was learnt last, against all before.
    private const double Weight = 0.25;

    private double _tokens;
    private double _row;

    /// <summary>Rows to take beside next tokens.</summary>
    public int Rows => _tokens > 0 && _row > 0 ? (int)Math.Clamp(_tokens / _row, LeastRows, int.MaxValue) : FirstRows;

    /// <summary>Takes how long a batch took.</summary>
    /// <param name="longRows">Its rows that were no next tokens.</param>
    /// <param name="microseconds">Its time.</param>
    public void Learn(int longRows, int microseconds)
    {
        if (longRows == 0)
        {
            _tokens = Blend(_tokens, microseconds);
        }
        else if (longRows >= LeastRows && _tokens > 0)
        {
            // Weights are read once for all rows, so that a row costs what the batch took longer.
            _row = Blend(_row, Math.Max(0, microseconds - _tokens) / longRows);
        }
    }

    private static double Blend(double old, double now) => old > 0 ? old + (Weight * (now - old)) : now;
}
