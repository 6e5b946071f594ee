namespace EFedLLM.Actors.Trust;

/// <summary>
/// The settings below <c>efedllm.trust</c>. <c>hocon/trust.conf</c> says what each does and holds the defaults, which are repeated here for
/// code that has no configuration: a test sees to it that they are the same.
/// </summary>
public sealed record TrustSettings
{
    /// <summary>Whether gateways check what devices compute.</summary>
    public bool IsOn { get; init; } = true;

    /// <summary>Positions of one unit: what a receipt is about, and what is checked at once.</summary>
    public int UnitTokens { get; init; } = 16;

    /// <summary>The share of units that are checked of a device with a full standing.</summary>
    public double FullRate { get; init; } = 0.05;

    /// <summary>The same of a junior.</summary>
    public double JuniorRate { get; init; } = 0.2;

    /// <summary>Checked positions until probation ends, in which every unit is checked.</summary>
    public int ProbationTokens { get; init; } = 1024;

    /// <summary>Positions computed until a junior becomes full; of those after probation the share of <see cref="JuniorRate"/> is checked.</summary>
    public int JuniorTokens { get; init; } = 4096;

    /// <summary>What a check that passes adds to the statistic: not positive.</summary>
    public double PassStep { get; init; } = -0.0100;

    /// <summary>What a soft failure adds: ln 100.</summary>
    public double SoftStep { get; init; } = 4.605;

    /// <summary>What a hard failure adds: ln 1000.</summary>
    public double HardStep { get; init; } = 6.908;

    /// <summary>The value of the statistic from which on a device is excluded: ln 10^8.</summary>
    public double ExcludeAt { get; init; } = 18.42;

    /// <summary>Hard failures within <see cref="HardWindow"/> that exclude, whatever passed between them.</summary>
    public int MostHardFailures { get; init; } = 5;

    /// <summary>How long a hard failure counts for <see cref="MostHardFailures"/>.</summary>
    public TimeSpan HardWindow { get; init; } = TimeSpan.FromDays(90);
}
