using CsCheck;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Reputation;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Tests.Reputation;

public sealed class JournalChainTests
{
    private static readonly JournalChain Start = JournalChain.Empty(LedgerSamples.Device);

    [Fact]
    public void What_was_written_is_read_without_a_problem_from_whatever_snapshot()
    {
        var (rows, chains) = Written(9);
        Assert.Equal((null, 9L, chains[9].Link), (Read(rows).Problem, Read(rows).Sequence, Read(rows).Link));
        for (var at = 1; at <= 9; at++)
        {
            var read = Read(rows[at..], Start.From(at, chains[at].Seal(ReputationState.Empty(LedgerSamples.Device))), at);
            Assert.Equal((null, chains[9].Link), (read.Problem, read.Link));
        }
    }

    /// <summary>Rows removed, changed, doubled, swapped, or of another device; what is cut off at the end is named by the highest number, where that is known.</summary>
    [Fact]
    public void Whatever_is_done_to_rows_is_noticed()
        => Gen.Select(Gen.Int[0, 8], Gen.Int[0, 8], Gen.Int[0, 4]).Sample(
            step =>
            {
                var (rows, _) = Written(9);
                var (strange, _) = Written(9, new DeviceId(new string('e', 32)));
                var (one, other, what) = step;
                var done = rows.ToList();
                switch (what)
                {
                    case 0:
                        done.RemoveAt(one);
                        break;
                    case 1:
                        done[one] = done[one] with { Body = new Digest(1, 2, 3, 4) };
                        break;
                    case 2:
                        done.Insert(one, done[other]);
                        break;
                    case 3:
                        (done[one], done[other]) = (done[other], done[one]);
                        break;
                    default:
                        done[one] = strange[one];
                        break;
                }

                return Read(done).UpTo(9).Problem is null == (what == 3 && one == other);
            },
            iter: 500,
            threads: 1);

    [Fact]
    public void A_gap_is_named()
    {
        var (rows, chains) = Written(9);
        Assert.Equal("entry 3 is missing", chains[2].After(4, rows[3]).Problem);
        Assert.Equal("entries 3 to 5 are missing", chains[2].After(6, rows[5]).Problem);
        Assert.Equal("entry 2 stands there twice", chains[2].After(2, rows[1]).Problem);
        Assert.Equal("entries 8 to 9 are missing", chains[9].UpTo(7).Problem);
        Assert.Equal("entry 10 is missing", chains[9].UpTo(10).Problem);

        // The first problem stays.
        Assert.Equal("entry 3 is missing", chains[2].After(4, rows[3]).After(3, rows[2]).After(9).UpTo(20).Problem);
    }

    [Fact]
    public void Rows_without_links_come_before_all_with_links()
    {
        var old = Start.After(1).After(2);
        Assert.Equal((null, 2L, default), (old.Problem, old.Sequence, old.Link));
        var (row, chain) = old.Append(new FinderPaid(1));
        Assert.Null(old.After(3, row).Problem);
        Assert.Null(Start.From(2).After(3, row).Problem);
        Assert.Equal("entry 4 has no link, and those before it have", chain.After(4).Problem);
        Assert.Equal("entry 2 is missing", Start.After(1).After(3).Problem);
    }

    private static JournalChain Read(IEnumerable<LinkedEntry> rows, JournalChain? start = null, int at = 0)
        => rows.Aggregate((Chain: start ?? Start, Sequence: at), (read, row) => (read.Chain.After(read.Sequence + 1, row), read.Sequence + 1)).Chain;

    private static (LinkedEntry[] Rows, JournalChain[] Chains) Written(int count, DeviceId? device = null)
    {
        var (rows, chains) = (new List<LinkedEntry>(), new List<JournalChain> { device is { } other ? JournalChain.Empty(other) : Start });
        for (var i = 1; i <= count; i++)
        {
            var (row, chain) = chains[^1].Append(new FinderPaid(i));
            rows.Add(row);
            chains.Add(chain);
        }

        return ([.. rows], [.. chains]);
    }
}
