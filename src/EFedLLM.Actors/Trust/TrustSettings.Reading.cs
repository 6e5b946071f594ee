using Akka.Configuration;
using EFedLLM.Actors.Configuration;

namespace EFedLLM.Actors.Trust;

/// <content>How the settings are read and judged.</content>
public sealed partial record TrustSettings
{
    /// <summary>Steps of the statistic are whole multiples of one in so many, so that what they lead to can be computed exactly.</summary>
    public const int StepsPerOne = 10_000;

    // Less than a proof may have in all (see WorkProof).
    private const long MostProofBytes = 240 << 20;

    // A standing keeps the time of each of them.
    private const int MostFailures = 64;

    private const string Section = "efedllm.trust";

    /// <summary>Reads and judges the settings of a whole configuration.</summary>
    /// <param name="configuration">As <see cref="NodeConfiguration.Build(NodeSettings)"/> returns it.</param>
    /// <exception cref="ConfigurationException">A value, or several together, are impossible; the message names a key.</exception>
    public static TrustSettings Read(Config configuration)
    {
        var trust = new SettingsReader(configuration, Section);
        var settings = ReadIncentive(configuration, ReadStanding(configuration, ReadAudit(configuration, new TrustSettings
        {
            IsOn = trust.Switch("mode"),
            ProofBytes = trust.Bytes("proof-bytes", 0, MostProofBytes),
        })));
        var routing = new SettingsReader(configuration, $"{Section}.routing");
        settings = settings with
        {
            HalfLife = routing.Duration("half-life", TimeSpan.FromMinutes(1), TimeSpan.FromDays(3650)),
            FailureWeight = routing.Number("failure-weight", 1, 1_000_000),
        };
        return settings.Problem() is { } problem ? throw new ConfigurationException($"{Section}.{problem}") : settings;
    }

    private static TrustSettings ReadAudit(Config configuration, TrustSettings settings)
    {
        var audit = new SettingsReader(configuration, $"{Section}.audit");
        return settings with
        {
            FullRate = audit.Share("full-rate"),
            JuniorRate = audit.Share("junior-rate"),
            ProbationTokens = audit.Integer("probation-tokens", 0, 1 << 30),
            JuniorTokens = audit.Integer("junior-tokens", 0, 1 << 30),
            OpeningDeadline = audit.Duration("opening-deadline", TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)),
            VerifierGap = audit.Integer("verifier-gap", 0, 1024),
            PlantedShare = audit.Share("planted-share"),
        };
    }

    private static TrustSettings ReadStanding(Config configuration, TrustSettings settings)
    {
        var standing = new SettingsReader(configuration, $"{Section}.standing");
        var openings = standing.Integer("openings", 1, 99);
        return settings with
        {
            PassStep = standing.Number("pass-step", -1, 1),
            SoftStep = standing.Number("soft-step", 0, 100),
            HardStep = standing.Number("hard-step", 0, 100),
            ExcludeAt = standing.Number("exclude-at", 0, 100),
            MostHardFailures = standing.Integer("hard-failures", 2, MostFailures),
            HardWindow = standing.Duration("hard-window", TimeSpan.FromMinutes(1), TimeSpan.FromDays(3650)),
            Openings = openings,
            RightOpenings = standing.Integer("right-openings", 1, openings),
            FaultyPasses = standing.Integer("faulty-passes", 0, 1_000_000),
            Ban = standing.Duration("ban", TimeSpan.FromSeconds(1), TimeSpan.FromDays(3650)),
            BanGrowth = standing.Number("ban-growth", 1, 100),
            ReturnScore = standing.Share("return-score"),
        };
    }

    private static TrustSettings ReadIncentive(Config configuration, TrustSettings settings)
    {
        var incentive = new SettingsReader(configuration, $"{Section}.incentive");
        return settings with
        {
            ReferenceFlop = incentive.Number("reference-flop", 1, 1e18),
            JuniorShare = incentive.Share("junior-share"),
            SlowestFactor = incentive.Share("slowest-factor"),
            FastestFactor = incentive.Number("fastest-factor", 1, 100),
            VerifierShare = incentive.Number("verifier-share", 0, 100),
            Vesting = incentive.Duration("vesting", TimeSpan.FromSeconds(1), TimeSpan.FromDays(365)),
            EscrowTokens = incentive.Integer("escrow-tokens", 0, 1 << 30),
            FirstSlash = incentive.Integer("first-slash", 0, 1 << 30),
            SecondSlash = incentive.Integer("second-slash", 0, 1 << 30),
            FinderShare = incentive.Share("finder-share"),
        };
    }

    /// <summary>What is impossible about the values together, beginning with a key below <c>efedllm.trust</c>; or null.</summary>
    private string? Problem()
        => ProbationTokens % UnitCut.Rows != 0 ? $"audit.probation-tokens is {ProbationTokens}: a multiple of {UnitCut.Rows} is expected."
            : JuniorTokens % UnitCut.Rows != 0 ? $"audit.junior-tokens is {JuniorTokens}: a multiple of {UnitCut.Rows} is expected."
            : FullRate <= 0 ? "audit.full-rate is 0: whom nobody ever checks can lie for ever. Set mode = off where nothing is to be checked."
            : JuniorRate < FullRate ? $"audit.junior-rate is {JuniorRate}: a junior is checked no less than others, whose audit.full-rate is {FullRate}."
            : JuniorTokens < ProbationTokens ? $"audit.junior-tokens is {JuniorTokens}: not less than audit.probation-tokens, {ProbationTokens}, is expected."
            : PassStep >= 0 ? $"standing.pass-step is {PassStep}: a check that passes must speak for a device, so a number below 0 is expected."
            : SoftStep <= 0 ? $"standing.soft-step is {SoftStep}: a failure must speak against a device, so a number above 0 is expected."
            : HardStep < SoftStep ? $"standing.hard-step is {HardStep}: not less than standing.soft-step, {SoftStep}, is expected."
            : ExcludeAt <= HardStep ? $"standing.exclude-at is {ExcludeAt}: with a standing.hard-step of {HardStep} a single failure would exclude, which chance alone can bring."
            : CoarseStep() is { } coarse ? $"standing.{coarse.Key} is {coarse.Value}: at most four decimals are possible."
            : ReturnScore >= 1 ? "standing.return-score is 1: a device would come back excluded."
            : SlowestFactor <= 0 ? "incentive.slowest-factor is 0: then slow work would not be worth doing at all."
            : (long)FirstSlash + SecondSlash > EscrowTokens
                ? $"incentive.escrow-tokens is {EscrowTokens}: incentive.first-slash and incentive.second-slash, {FirstSlash} and {SecondSlash}, must fit it."
            : FinderShare >= 1 ? "incentive.finder-share is 1: a liar that finds himself out would lose nothing."
            : null;

    private (string Key, double Value)? CoarseStep()
    {
        foreach (var (key, value) in new[] { ("pass-step", PassStep), ("soft-step", SoftStep), ("hard-step", HardStep), ("exclude-at", ExcludeAt) })
        {
            if (Math.Abs((value * StepsPerOne) - Math.Round(value * StepsPerOne)) > 1e-6)
            {
                return (key, value);
            }
        }

        return null;
    }
}
