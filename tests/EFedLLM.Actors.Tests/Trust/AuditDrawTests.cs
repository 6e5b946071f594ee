using System.Numerics;
using CsCheck;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using static EFedLLM.Actors.Tests.Trust.TrustSamples;

namespace EFedLLM.Actors.Tests.Trust;

public sealed class AuditDrawTests
{
    private const int Receipts = 100_000;

    private static readonly SessionId Session = new(new Guid("00112233-4455-6677-8899-aabbccddeeff"));

    [Theory]
    [InlineData(0.01)]
    [InlineData(0.05)]
    [InlineData(0.2)]
    [InlineData(0.999)]
    public void The_share_of_chosen_units_is_the_rate(double rate)
        => IsBinomial(Enumerable.Range(0, Receipts).Count(i => AuditDraw.IsChosen(Digest(-1), Digest(-2), Digest(i), rate)), Receipts, rate);

    [Fact]
    public void Every_unit_is_chosen_at_a_rate_of_one_and_none_at_the_least_there_is()
    {
        Assert.All(Enumerable.Range(0, 1000), i => Assert.True(AuditDraw.IsChosen(Digest(-1), Digest(-2), Digest(i), 1)));
        Assert.All(Enumerable.Range(0, 1000), i => Assert.False(AuditDraw.IsChosen(Digest(-1), Digest(-2), Digest(i), double.Epsilon)));
    }

    [Fact]
    public void Who_is_checked_at_a_rate_is_checked_at_every_higher_one()
        => Assert.All(Enumerable.Range(0, 1000), i => Assert.True(
            !AuditDraw.IsChosen(Digest(-1), Digest(-2), Digest(i), 0.05) || AuditDraw.IsChosen(Digest(-1), Digest(-2), Digest(i), 0.2)));

    /// <summary>With one nonce and the receipt known, the other one leaves the outcome as open as if nothing were: for every receipt about the rate of all other nonces choose it.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void One_nonce_does_not_tell_whether_a_unit_is_chosen(bool requesterIsKnown)
    {
        const double Rate = 0.2;
        foreach (var receipt in Enumerable.Range(0, 20).Select(Digest))
        {
            var chosen = Enumerable.Range(1000, 5000).Select(Digest).Count(hidden => requesterIsKnown
                ? AuditDraw.IsChosen(Digest(-1), hidden, receipt, Rate)
                : AuditDraw.IsChosen(hidden, Digest(-2), receipt, Rate));
            IsBinomial(chosen, 5000, Rate);
        }
    }

    [Fact]
    public void The_same_nonces_the_other_way_round_and_the_seed_are_other_draws()
    {
        var draws = Enumerable.Range(0, 10_000).Count(i
            => AuditDraw.IsChosen(Digest(-1), Digest(-2), Digest(i), 0.5) == AuditDraw.IsChosen(Digest(-2), Digest(-1), Digest(i), 0.5));
        IsBinomial(draws, 10_000, 0.5);
        var seeds = Enumerable.Range(0, 10_000).Count(i
            => AuditDraw.IsChosen(Digest(-1), Digest(-2), Digest(i), 0.5) == AuditDraw.Seed(Digest(-1), Digest(-2), Digest(i)).A < 1UL << 63);
        IsBinomial(seeds, 10_000, 0.5);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-0.1)]
    [InlineData(1.0000001)]
    [InlineData(double.NaN)]
    public void A_rate_that_is_none_is_refused(double rate)
        => Assert.Throws<ArgumentOutOfRangeException>(() => AuditDraw.IsChosen(Digest(1), Digest(2), Digest(3), rate));

    [Fact]
    public void A_commitment_is_opened_by_its_nonce_alone_in_its_session_and_by_its_party()
    {
        var commitment = AuditDraw.Commit(Session, NonceParty.Requester, Digest(1));
        Assert.True(AuditDraw.Opens(commitment, Session, NonceParty.Requester, Digest(1)));
        Assert.False(AuditDraw.Opens(commitment, Session, NonceParty.Requester, Digest(2)));
        Assert.False(AuditDraw.Opens(commitment, Session, NonceParty.Coordinator, Digest(1)));
        Assert.False(AuditDraw.Opens(commitment, new SessionId(Guid.Empty), NonceParty.Requester, Digest(1)));
        Assert.False(AuditDraw.Opens(Digest(1), Session, NonceParty.Requester, Digest(1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => AuditDraw.Commit(Session, 0, Digest(1)));
    }

    [Fact]
    public void No_two_nonces_are_the_same()
        => Assert.Equal(1000, Enumerable.Range(0, 1000).Select(_ => AuditDraw.NewNonce()).Distinct().Count());

    [Fact]
    public void A_lot_is_below_a_share_exactly_when_the_numbers_say_so()
        => Gen.Select(Gen.ULong, Gen.ULong, Gen.Int[0, 300], Gen.Int[-1, 1]).Sample(
            (mantissa, low, down, off) =>
            {
                // A share of any size, and a lot at its bound, one below or one above.
                var share = Math.ScaleB((double)((mantissa >> 12) + 1) / (1UL << 53), -down);
                var (numerator, denominator) = Fraction(share);
                var bound = (numerator * BigInteger.Pow(2, 256) / denominator) + off + (low % 7 == 0 ? new BigInteger(low) << 130 : 0);
                if (bound.Sign < 0 || bound >= BigInteger.Pow(2, 256))
                {
                    return;
                }

                Assert.Equal(bound * denominator < numerator * BigInteger.Pow(2, 256), DrawnShare.IsBelow(Lot(bound), share));
            },
            iter: 20_000,
            threads: 1);

    private static (BigInteger Numerator, BigInteger Denominator) Fraction(double value)
    {
        var denominator = BigInteger.One;
        while (value != Math.Floor(value))
        {
            value *= 2;
            denominator *= 2;
        }

        return (new BigInteger(value), denominator);
    }

    private static Digest Lot(BigInteger value)
    {
        var bytes = new byte[EFedLLM.Actors.Trust.Digest.Bytes];
        var number = value.ToByteArray(isUnsigned: true, isBigEndian: true);
        number.CopyTo(bytes, bytes.Length - number.Length);
        return EFedLLM.Actors.Trust.Digest.Read(bytes);
    }
}
