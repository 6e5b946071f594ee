using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Tests.Auditing;

public sealed class VerifierRulesTests : IDisposable
{
    private const int Hop = 2;

    private static readonly ClusterId Cluster = ClusterId.WithoutTls("a test");
    private static readonly Digest Given = Digest.Of([7]);
    private static readonly UnitRecomputed Answer = new(new SessionId(new Guid(1, 2, 3, new byte[8])), 1, Hop, 32, 16, Digest.Of([8]), Given, 5);

    private readonly DeviceKey _key = DeviceKey.Create();
    private readonly DeviceKey _other = DeviceKey.Create();

    public void Dispose()
    {
        _key.Dispose();
        _other.Dispose();
    }

    [Fact]
    public void An_answer_counts_where_whoever_was_drawn_signed_it_and_what_it_was_given()
    {
        var signed = Sign(Answer);
        Assert.Null(Problem(signed));

        // What the pipeline knows itself it does not take from the answer; what it took no time to compute is no part of what is signed.
        Assert.Null(Problem(signed with { Epoch = 9, HopIndex = 9, Microseconds = 0 }));
    }

    [Fact]
    public void Nothing_of_what_was_signed_can_be_changed()
    {
        UnitRecomputed[] changed = [
            Answer with { Session = SessionId.New() }, Answer with { Epoch = 2 }, Answer with { HopIndex = Hop + 1 }, Answer with { Position = 48 }, Answer with { Rows = 15 },
            Answer with { Answer = Digest.Of([9]) }, Answer with { GivenRoot = Digest.Of([9]) }];
        Assert.All(changed, other =>
        {
            Assert.Contains("not signed", Problem(Answer with { Signature = Sign(other).Signature }), StringComparison.Ordinal);
        });
        Assert.Contains("not signed", Problem(Answer), StringComparison.Ordinal);
        Assert.Contains("not signed", Problem(Sign(Answer, _other)), StringComparison.Ordinal);
        Assert.Contains("not signed", Problem(Answer with { Signature = [.. _key.Sign(Answer.ToStatement(default))] }), StringComparison.Ordinal);
        Assert.Contains("not signed", Problem(Answer with { Signature = Sign(Answer).Signature.RemoveAt(0) }), StringComparison.Ordinal);
        Assert.Contains("not signed", VerifierRules.Problem(Sign(Answer), default, Cluster, Hop, Given), StringComparison.Ordinal);
        Assert.Contains("not signed", VerifierRules.Problem(Sign(Answer), _key.PublicKey.Span, Cluster, Hop - 1, Given), StringComparison.Ordinal);
    }

    [Fact]
    public void Who_signs_that_it_was_given_something_else_has_answered_nothing()
        => Assert.Contains("given something else", Problem(Sign(Answer with { GivenRoot = Digest.Of([9]) })), StringComparison.Ordinal);

    private UnitRecomputed Sign(UnitRecomputed answer, DeviceKey? key = null) => answer with { Signature = [.. (key ?? _key).Sign(answer.ToStatement(Cluster))] };

    private string? Problem(UnitRecomputed answer) => VerifierRules.Problem(answer, _key.PublicKey.Span, Cluster, Hop, Given);
}
