using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Tests.Trust;

/// <summary>What every hop signs that it was asked for.</summary>
public sealed class SessionTermsTests
{
    private static readonly SessionTerms Terms = new(
        ClusterId.Parse(new string('a', 64)), new SessionId(Guid.Parse("00112233445566778899aabbccddeeff")), new ModelId(new string('b', 64)),
        new SamplingSettings { Temperature = 0.7f, TopP = 0.9f, TopK = 40, Seed = 5 }, Digest.Of([1]));

    [Fact]
    public void Whatever_is_asked_otherwise_makes_other_terms()
    {
        SessionTerms[] others =
        [
            Terms with { Cluster = ClusterId.WithoutTls("efedllm") },
            Terms with { Session = SessionId.New() },
            Terms with { Model = new ModelId(new string('c', 64)) },
            Terms with { Sampling = Terms.Sampling with { Temperature = 0.8f } },
            Terms with { Sampling = Terms.Sampling with { TopP = 1 } },
            Terms with { Sampling = Terms.Sampling with { TopK = 0 } },
            Terms with { Sampling = Terms.Sampling with { Seed = 6 } },
            Terms with { Commitment = Digest.Of([2]) },
        ];
        Assert.Equal(others.Length + 1, others.Append(Terms).Select(terms => terms.Hash).Distinct().Count());
        Assert.Equal(Terms.Hash, (Terms with { Sampling = Terms.Sampling with { TopLogprobs = 20 } }).Hash);
    }

    [Fact]
    public void Their_hash_is_the_same_for_ever()
        => Assert.Equal("fcdf9123c0ff0ebdfee77351e1e6707c5a6a0f28a615b2d855e2948750a647e7", Terms.Hash.ToString());

    [Fact]
    public void A_cluster_without_an_authority_has_an_id_of_its_own_name()
    {
        Assert.Equal(ClusterId.WithoutTls("efedllm"), ClusterId.WithoutTls("efedllm"));
        Assert.NotEqual(ClusterId.WithoutTls("efedllm"), ClusterId.WithoutTls("another"));
        Assert.Equal(new string('a', 64), ClusterId.Parse(new string('A', 64)).ToString());
        Assert.All(["", "a", new string('a', 63), new string('g', 64)], text => Assert.Throws<FormatException>(() => ClusterId.Parse(text)));
    }
}
