using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Auditing;

/// <summary>What is settled about the checks of a session before its first receipt.</summary>
/// <param name="Settings">Rates and bounds.</param>
/// <param name="Seed">The gateway's secret: decides which units are checked and by whom, and makes the keys of the checks.</param>
/// <param name="IsStrict">Whether everything is checked and nothing is told that was not: what whoever asked wants.</param>
/// <param name="CanJudge">Whether the gateway has the model's files, so that it can recompute a unit itself.</param>
internal sealed record AuditPlan(TrustSettings Settings, ImmutableArray<byte> Seed, bool IsStrict, bool CanJudge)
{
    /// <summary>A digest that only the gateway can tell: of its secret and what it is for.</summary>
    public Digest Secret(string purpose, SessionId session, DeviceId device, int position)
        => Digest.Of([.. Seed, .. System.Text.Encoding.UTF8.GetBytes($"{purpose} {session} {device} {position}")]);

    /// <summary>Whether a unit is checked.</summary>
    /// <param name="receipt">The hash of its receipt, which the device had signed before anybody could tell.</param>
    /// <param name="rate">The share that is checked, 0 to 1.</param>
    public bool Chooses(Digest receipt, double rate)
    {
        Span<byte> bytes = stackalloc byte[Digest.Bytes];
        receipt.Write(bytes);
        return IsStrict || Digest.Of([.. Seed, .. bytes]).A < rate * ulong.MaxValue;
    }
}
