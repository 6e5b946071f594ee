using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Trust;

/// <summary>
/// Which units are checked. When a session opens, whoever asked for it and whoever runs it each commit to a secret number and keep it; once
/// a unit's receipt is stored both numbers are shown, and they and the receipt decide. So nobody can know before the receipt exists: the
/// device knows neither number, and each of the two knows one, while the other one, chosen without knowledge of it, makes every outcome
/// equally open. Commit and reveal as Blum (Coin flipping by telephone, 1981) has it.
/// </summary>
public static class AuditDraw
{
    /// <summary>A new secret number.</summary>
    public static Digest NewNonce() => PurposeHash.Random();

    /// <summary>What is given away of a nonce when a session opens. It says nothing of the nonce and fits no other one, session or party.</summary>
    /// <param name="session">The session.</param>
    /// <param name="party">Whose nonce it is.</param>
    /// <param name="nonce">The nonce.</param>
    public static Digest Commit(SessionId session, NonceParty party, Digest nonce)
    {
        Span<byte> bytes = stackalloc byte[Digest.Bytes];
        bytes.Clear();
        session.Value.TryWriteBytes(bytes, bigEndian: true, out _);
        return party switch
        {
            NonceParty.Requester => PurposeHash.Of("efedllm audit requester 1"u8, Digest.Read(bytes), nonce),
            NonceParty.Coordinator => PurposeHash.Of("efedllm audit coordinator 1"u8, Digest.Read(bytes), nonce),
            _ => throw new ArgumentOutOfRangeException(nameof(party), party, "It is no party."),
        };
    }

    /// <summary>What every hop is told of both nonces when a session opens, and signs with its terms (<see cref="SessionTerms"/>): so neither is another one later.</summary>
    /// <param name="session">The session.</param>
    /// <param name="requester">The nonce of whoever asked.</param>
    /// <param name="coordinator">The nonce of whoever runs the session.</param>
    public static Digest Commit(SessionId session, Digest requester, Digest coordinator)
        => PurposeHash.Of("efedllm audit commitment 1"u8, Commit(session, NonceParty.Requester, requester), Commit(session, NonceParty.Coordinator, coordinator));

    /// <summary>Whether a nonce is the one that was committed to.</summary>
    /// <param name="commitment">What was given away when the session opened.</param>
    /// <param name="session">The session.</param>
    /// <param name="party">Whose nonce it is.</param>
    /// <param name="nonce">The nonce that is shown now.</param>
    public static bool Opens(Digest commitment, SessionId session, NonceParty party, Digest nonce) => Commit(session, party, nonce) == commitment;

    /// <summary>Whether a unit is checked.</summary>
    /// <param name="requester">The nonce of whoever asked.</param>
    /// <param name="coordinator">The nonce of whoever runs the session.</param>
    /// <param name="receipt">The hash of the unit's receipt.</param>
    /// <param name="rate">The share of units that are checked, more than 0 and at most 1; compared exactly.</param>
    /// <exception cref="ArgumentOutOfRangeException">The rate is no such share.</exception>
    public static bool IsChosen(Digest requester, Digest coordinator, Digest receipt, double rate)
        => rate is > 0 and <= 1
            ? DrawnShare.IsBelow(PurposeHash.Of("efedllm audit draw 1"u8, requester, coordinator, receipt), rate)
            : throw new ArgumentOutOfRangeException(nameof(rate), rate, "It is no share of units: more than 0, at most 1.");

    /// <summary>The seed of everything else that is drawn for a unit, above all of <see cref="VerifierDraw"/>: whoever knows both nonces can repeat it.</summary>
    /// <param name="requester">The nonce of whoever asked.</param>
    /// <param name="coordinator">The nonce of whoever runs the session.</param>
    /// <param name="receipt">The hash of the unit's receipt.</param>
    public static Digest Seed(Digest requester, Digest coordinator, Digest receipt)
        => PurposeHash.Of("efedllm audit seed 1"u8, requester, coordinator, receipt);
}
