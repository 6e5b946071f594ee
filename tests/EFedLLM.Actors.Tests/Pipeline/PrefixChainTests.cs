using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Caching;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Pipeline;

public sealed class PrefixChainTests
{
    private const int Page = KvCache.PagePositions;

    private static readonly byte[] Secret = [.. Enumerable.Range(0, PrefixChain.SecretBytes).Select(value => (byte)value)];

    private static readonly ModelId Model = new(new string('a', 64));

    [Fact]
    public void Equal_names_are_of_equal_texts_from_the_first_token_on()
    {
        var tokens = Enumerable.Range(0, 5 * Page).ToArray();
        var keys = Keys(tokens);
        Assert.Equal(5, keys.Distinct().Count());
        for (var changed = 0; changed < tokens.Length; changed += 37)
        {
            var others = Keys([.. tokens[..changed], tokens[changed] + 1, .. tokens[(changed + 1)..]]);
            for (var page = 0; page < 5; page++)
            {
                Assert.Equal(page < changed / Page, keys[page] == others[page]);
            }
        }

        // The same page at another place is another page.
        Assert.Equal(2, Keys(new int[2 * Page]).Distinct().Count());
    }

    [Fact]
    public void Other_gateways_tenants_and_models_have_other_names()
    {
        var tokens = new int[Page];
        byte[] other = [.. Secret[..^1], 0];
        PageKey[] names =
        [
            PrefixChain.Begin(Secret, "", Model).With(tokens).Keys[0],
            PrefixChain.Begin(other, "", Model).With(tokens).Keys[0],
            PrefixChain.Begin(Secret, "key", Model).With(tokens).Keys[0],
            PrefixChain.Begin(Secret, "", new ModelId(new string('b', 64))).With(tokens).Keys[0],
        ];
        Assert.Equal(names.Length, names.Distinct().Count());
        Assert.Equal(names[2], PrefixChain.Begin(Secret, "key", Model).With(tokens).Keys[0]);
        Assert.Throws<ArgumentOutOfRangeException>(() => PrefixChain.Begin(new byte[31], "", Model));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(63, 0)]
    [InlineData(64, 1)]
    [InlineData(65, 1)]
    [InlineData(191, 2)]
    public void Only_whole_pages_have_names_and_it_is_the_same_in_how_many_parts_they_come(int count, int pages)
    {
        var tokens = Enumerable.Range(7, count).ToArray();
        var whole = PrefixChain.Begin(Secret, "", Model).With(tokens);
        Assert.Equal((pages, pages * Page), (whole.Keys.Length, whole.Positions));
        for (var cut = 0; cut <= count; cut++)
        {
            var begun = PrefixChain.Begin(Secret, "", Model).With(tokens.AsSpan()[..cut]);
            Assert.Equal(whole.Keys.AsSpan(), begun.With(tokens.AsSpan()[begun.Positions..]).Keys.AsSpan());
        }
    }

    [Fact]
    public void No_more_pages_have_names_than_a_message_carries()
    {
        var chain = PrefixChain.Begin(Secret, "", Model).With(new int[(ProtocolLimits.PrefixPages + 3) * Page]);
        Assert.Equal(ProtocolLimits.PrefixPages, chain.Keys.Length);
        Assert.Same(chain, chain.With(new int[Page]));
    }

    private static PageKey[] Keys(int[] tokens) => [.. PrefixChain.Begin(Secret, "", Model).With(tokens).Keys];
}
