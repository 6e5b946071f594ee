using CsCheck;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Tests.Pipeline;

/// <summary>What is guessed from a session's own tokens, and how often.</summary>
public sealed class PromptLookupTests
{
    [Theory]
    [InlineData("1 2 3 4 5 1 2 3", 4, "4 5 1 2")] // as it went on before
    [InlineData("1 2 3 4 9 2 3 5 1 2 3", 2, "4 9")] // a longer match before a later one
    [InlineData("2 3 4 9 2 3 5 8 2 3", 2, "5 8")] // of several the latest
    [InlineData("7 7 7 7", 3, "7 7 7")] // what follows the match ends: it repeats itself
    [InlineData("1 2 1 2", 5, "1 2 1 2 1")]
    [InlineData("1 2 3 4 5", 3, "")] // nothing stands twice
    [InlineData("1 2 3 2", 3, "")] // one token says nothing
    [InlineData("5", 3, "")]
    [InlineData("", 3, "")]
    [InlineData("1 2 1 2", 0, "")]
    public void A_sequence_goes_on_as_it_went_on_where_its_last_tokens_stood_before(string tokens, int most, string drafts)
    {
        var found = new int[most];
        var count = PromptLookup.Draft(Parse(tokens), found);
        Assert.Equal(Parse(drafts), found[..count]);
    }

    [Fact]
    public void Every_guess_is_what_a_search_from_the_back_finds() => Gen.Select(Gen.Int[0, 3].Array[0, 60], Gen.Int[1, ProtocolLimits.Drafts]).Sample((tokens, most) =>
    {
        var drafts = new int[most];
        var count = PromptLookup.Draft(tokens, drafts);
        Assert.Equal(Searched(tokens, most), drafts[..count]);
    });

    [Fact]
    public void What_is_too_far_back_is_not_looked_at_and_a_guess_allocates_nothing()
    {
        int[] far = [1, 2, 3, 4, .. Enumerable.Range(10, PromptLookup.Reach - 3), 1, 2, 3];
        var drafts = new int[4];
        Assert.Equal(0, PromptLookup.Draft(far, drafts));
        Assert.Equal(4, PromptLookup.Draft([1, 2, 3, 4, .. far[8..]], drafts));
        var before = GC.GetAllocatedBytesForCurrentThread();
        PromptLookup.Draft(far, drafts);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void More_is_guessed_while_it_is_right()
    {
        var pace = new DraftPace(7);
        Assert.Equal(2, pace.Next);
        pace.Learn(2, 2);
        Assert.Equal(4, pace.Next);
        pace.Learn(4, 4);
        Assert.Equal(7, pace.Next);
        pace.Learn(7, 7);
        Assert.Equal(7, pace.Next);
        pace.Learn(7, 3);
        Assert.Equal(3, pace.Next);
        pace.Learn(3, 1);
        Assert.Equal(2, pace.Next);
        Assert.Equal(1, new DraftPace(1).Next);
    }

    [Fact]
    public void After_a_wrong_guess_nothing_is_guessed_for_a_while_and_each_time_for_longer()
    {
        var pace = new DraftPace(7);
        foreach (var pause in (int[])[8, 16, 32, 64, 128, 256, 256])
        {
            pace.Learn(2, 0);
            for (var token = 0; token < pause; token++)
            {
                Assert.Equal(0, pace.Next);
                pace.Learn(0, 0);
            }

            Assert.Equal(2, pace.Next);
        }

        pace.Learn(2, 2);
        pace.Learn(4, 0);
        Assert.Equal(8, Enumerable.Range(0, 300).TakeWhile(_ => Waits(pace)).Count());
    }

    /// <summary>Where nothing is ever right, a text of 1,000 tokens has so few steps with drafts, each of two.</summary>
    [Fact]
    public void A_text_that_repeats_nothing_is_hardly_ever_guessed_at()
    {
        var (pace, guessed) = (new DraftPace(15), 0);
        for (var token = 0; token < 1000; token++)
        {
            guessed += pace.Next > 0 ? 1 : 0;
            pace.Learn(pace.Next, 0);
        }

        Assert.InRange(guessed, 1, 8);
    }

    private static bool Waits(DraftPace pace)
    {
        var waits = pace.Next == 0;
        pace.Learn(0, 0);
        return waits;
    }

    private static int[] Searched(int[] tokens, int most)
    {
        for (var length = PromptLookup.LongestMatch; length >= PromptLookup.ShortestMatch; length--)
        {
            for (var at = tokens.Length - length - 1; at >= 0; at--)
            {
                if (tokens.AsSpan(at, length).SequenceEqual(tokens.AsSpan(tokens.Length - length)))
                {
                    var following = tokens[(at + length)..];
                    return [.. Enumerable.Range(0, most).Select(index => following[index % following.Length])];
                }
            }
        }

        return [];
    }

    private static int[] Parse(string tokens) => [.. tokens.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
}
