using System.Collections.Immutable;
using EFedLLM.Actors.Trust;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>What checks showed, and how far devices are trusted for it.</summary>
internal static class TrustCodecs
{
    /// <summary>How each travels.</summary>
    public static ImmutableArray<WireCodec> All { get; } =
    [
        WireCodec.Of<DeviceStanding, Form.DeviceStanding>("ds", 1024, Form.DeviceStanding.Parser, (message, _) => Write(message), (form, _) => Read(form)),
    ];

    /// <summary>The form of what a check showed; null where there was none.</summary>
    public static Form.CheckFacts? Write(CheckFacts? facts) => facts is null ? null : new Form.CheckFacts
    {
        Role = (int)facts.Role,
        Outcome = (int)facts.Outcome,
        Position = facts.Position,
        Verifier = facts.Verifier == default ? null : Values.Write(facts.Verifier),
        Expected = Write(facts.Expected),
        Found = Write(facts.Found),
        Proof = Write(facts.Proof),
        Reason = facts.Reason,
    };

    /// <summary>What a check showed; null where there was none.</summary>
    public static CheckFacts? Read(Form.CheckFacts? form) => form is null ? null : new CheckFacts(
        Require.Defined<TrustRole>(form.Role, "role"),
        Require.Defined<CheckOutcome>(form.Outcome, "outcome of the check"),
        Values.Position(form.Position),
        form.Verifier is { } verifier ? Values.Device(verifier, "verifier") : default,
        Read(form.Expected),
        Read(form.Found),
        Read(form.Proof),
        Require.Text(form.Reason, ProtocolLimits.ReasonCharacters, "reason"));

    /// <summary>A check with the outcome that it belongs to, and no check with any other.</summary>
    public static CheckFacts? Read(Form.CheckFacts? form, WorkOutcome outcome) => (form is not null) == (outcome == WorkOutcome.Checked)
        ? Read(form)
        : throw new MalformedMessageException(form is null ? "check is missing." : $"check stands beside the outcome {outcome}.");

    /// <summary>The form of a standing; null of a new device.</summary>
    public static Form.RoleStanding? Write(RoleStanding standing)
    {
        if (standing.Equals(RoleStanding.New))
        {
            return null;
        }

        var form = new Form.RoleStanding
        {
            Score = standing.Score,
            PassedTokens = standing.PassedTokens,
            Passed = standing.Passed,
            Soft = standing.Soft,
            Hard = standing.Hard,
        };
        form.HardTimes.AddRange(standing.HardTimes.Select(time => time.UtcTicks));
        form.HardPassed.AddRange(standing.HardPassed);
        if (standing.ExcludedAt is { } excluded)
        {
            form.ExcludedAt = excluded.UtcTicks;
        }

        (form.Exclusion, form.Bans, form.UnpaidTokens) = (Write(standing.Exclusion), standing.Bans, standing.UnpaidTokens);
        return form;
    }

    /// <summary>A standing; that of a new device where there is none.</summary>
    public static RoleStanding ReadStanding(Form.RoleStanding? form)
    {
        if (form is null)
        {
            return RoleStanding.New;
        }

        Require.Count(form.HardTimes.Count, ProtocolLimits.HardTimes, "hard_times");
        Require.Count(form.HardPassed.Count, ProtocolLimits.HardTimes, "hard_passed");
        return new RoleStanding
        {
            Score = Require.NotNegative(form.Score, "score"),
            PassedTokens = Require.AtLeast(form.PassedTokens, 0, "passed_tokens"),
            Passed = Require.AtLeast(form.Passed, 0, "passed"),
            Soft = Require.AtLeast(form.Soft, 0, "soft"),
            Hard = Require.AtLeast(form.Hard, 0, "hard"),
            HardTimes = [.. form.HardTimes.Select(time => Values.Moment(time, "hard_times"))],
            HardPassed = [.. form.HardPassed.Select(passed => Require.AtLeast(passed, 0, "hard_passed"))],
            ExcludedAt = form.HasExcludedAt ? Values.Moment(form.ExcludedAt, "excluded_at") : null,
            Exclusion = Read(form.Exclusion),
            Bans = Require.Within(form.Bans, 0, int.MaxValue, "bans"),
            UnpaidTokens = Require.AtLeast(form.UnpaidTokens, 0, "unpaid_tokens"),
        };
    }

    private static Form.Exclusion? Write(Exclusion? exclusion) => exclusion is null ? null : new Form.Exclusion
    {
        IsFaulty = exclusion.IsFaulty,
        Until = exclusion.Until.UtcTicks,
        ReturnScore = exclusion.ReturnScore,
        UnpaidTokens = exclusion.UnpaidTokens,
    };

    private static Exclusion? Read(Form.Exclusion? form) => form is null ? null : new Exclusion(
        form.IsFaulty,
        Values.Moment(form.Until, "until"),
        Require.NotNegative(form.ReturnScore, "return_score"),
        Require.Within(form.UnpaidTokens, 0, int.MaxValue, "unpaid_tokens"));

    /// <summary>The form of what every node is to know of a device.</summary>
    public static Form.DeviceStanding Write(DeviceStanding message)
    {
        var form = new Form.DeviceStanding
        {
            Device = Values.Write(message.Device),
            Server = (int)message.Server,
            Verifier = (int)message.Verifier,
            Score = message.Score,
            Revision = message.Revision,
            Ledger = DeviceCodecs.Write(message.Ledger),
            Exclusion = Write(message.Exclusion),
            Preference = message.Preference,
        };
        if (message.NextReturn is { } next)
        {
            form.NextReturn = next.UtcTicks;
        }

        return form;
    }

    /// <summary>What every node is to know of a device.</summary>
    public static DeviceStanding Read(Form.DeviceStanding form) => new(
        Values.Device(form.Device, "device"),
        Require.Defined<TrustTier>(form.Server, "server"),
        Require.Defined<TrustTier>(form.Verifier, "verifier"),
        Require.NotNegative(form.Score, "score"),
        Require.AtLeast(form.Revision, 0, "revision"),
        DeviceCodecs.ReadAddress(Require.Present(form.Ledger, "ledger")))
    {
        Exclusion = Read(form.Exclusion),
        Preference = Require.UpTo(form.Preference, 1, "preference"),
        NextReturn = form.HasNextReturn ? Values.Moment(form.NextReturn, "next_return") : null,
    };

    private static Form.Id256? Write(Digest digest)
        => digest == default ? null : new Form.Id256 { Word0 = digest.A, Word1 = digest.B, Word2 = digest.C, Word3 = digest.D };

    private static Digest Read(Form.Id256? form) => form is null ? default : new Digest(form.Word0, form.Word1, form.Word2, form.Word3);
}
