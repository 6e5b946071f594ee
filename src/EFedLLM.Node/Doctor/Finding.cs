namespace EFedLLM.Node.Doctor;

/// <summary>What one check found.</summary>
/// <param name="Check">The check.</param>
/// <param name="Verdict">What it comes to.</param>
/// <param name="Found">What was measured, for people.</param>
/// <param name="Advice">What to do; null where there is nothing to do.</param>
internal sealed record Finding(string Check, Verdict Verdict, string Found, string? Advice = null)
{
    /// <summary>As it should be.</summary>
    public static Finding Good(string check, string found) => new(check, Verdict.Good, found);

    /// <summary>It works, but not well.</summary>
    public static Finding Doubtful(string check, string found, string advice) => new(check, Verdict.Doubtful, found, advice);

    /// <summary>It does not work.</summary>
    public static Finding Bad(string check, string found, string advice) => new(check, Verdict.Bad, found, advice);
}
