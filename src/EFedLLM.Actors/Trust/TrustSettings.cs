namespace EFedLLM.Actors.Trust;

/// <summary>
/// The settings below <c>efedllm.trust</c>. <c>hocon/trust.conf</c> says what each does and holds the defaults, which are repeated here for
/// code that has no configuration: a test sees to it that they are the same.
/// </summary>
public sealed partial record TrustSettings
{
    /// <summary>Whether gateways check what devices compute.</summary>
    public bool IsOn { get; init; } = true;

    /// <summary>Bytes of activations that a session keeps so that what its checks find can be proven to others; 0 where nothing is to be.</summary>
    public long ProofBytes { get; init; } = 64_000_000;

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

    /// <summary>How long a device may take to open what it signed; later is a soft failure.</summary>
    public TimeSpan OpeningDeadline { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Whoever checked one of a device's latest units, so many, does not check it again while there is somebody else.</summary>
    public int VerifierGap { get; init; } = 8;

    /// <summary>The share of checks that the gateway recomputes too (<see cref="PlantedJobs"/>).</summary>
    public double PlantedShare { get; init; } = 0.05;

    /// <summary>How often a disputed unit is opened to tell a broken device from one that lies.</summary>
    public int Openings { get; init; } = 3;

    /// <summary>How many of <see cref="Openings"/> have to give the right answer for a broken one.</summary>
    public int RightOpenings { get; init; } = 2;

    /// <summary>So many checks pass between the hard failures of a device that is broken and does not lie; 0 where nothing tells the two apart.</summary>
    public int FaultyPasses { get; init; } = 50;

    /// <summary>How long a liar is banned for the first time.</summary>
    public TimeSpan Ban { get; init; } = TimeSpan.FromDays(30);

    /// <summary>By what the ban grows with each further one.</summary>
    public double BanGrowth { get; init; } = 2;

    /// <summary>With what part of <see cref="ExcludeAt"/> it starts again.</summary>
    public double ReturnScore { get; init; } = 0.5;

    /// <summary>Floating-point operations that earn 1.</summary>
    public double ReferenceFlop { get; init; } = 1e9;

    /// <summary>What a junior earns, as a part of what a device with a full standing does.</summary>
    public double JuniorShare { get; init; } = 0.5;

    /// <summary>The least that slow work earns of its reward.</summary>
    public double SlowestFactor { get; init; } = 0.5;

    /// <summary>The most that fast work earns of its reward.</summary>
    public double FastestFactor { get; init; } = 1.2;

    /// <summary>What checking a unit earns, as a part of what computing it earns.</summary>
    public double VerifierShare { get; init; } = 1.2;

    /// <summary>How long what is earned can still be lost.</summary>
    public TimeSpan Vesting { get; init; } = TimeSpan.FromHours(24);

    /// <summary>Positions whose reward fills the escrow.</summary>
    public int EscrowTokens { get; init; } = 3072;

    /// <summary>Positions whose reward the first hard failure costs.</summary>
    public int FirstSlash { get; init; } = 512;

    /// <summary>The same of the second; the third costs what is left.</summary>
    public int SecondSlash { get; init; } = 1024;

    /// <summary>The part of what is taken that goes to whoever found it out.</summary>
    public double FinderShare { get; init; } = 0.5;

    /// <summary>After what time what a device did counts half when routes are chosen.</summary>
    public TimeSpan HalfLife { get; init; } = TimeSpan.FromDays(7);

    /// <summary>As how many passed checks one failure counts when routes are chosen.</summary>
    public double FailureWeight { get; init; } = 20;
}
