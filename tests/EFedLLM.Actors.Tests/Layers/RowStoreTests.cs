using EFedLLM.Actors.Layers;

namespace EFedLLM.Actors.Tests.Layers;

public sealed class RowStoreTests
{
    private const int Width = 4;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Rows_come_out_as_they_went_in_however_they_were_cut_and_what_was_cut_off_comes_anew(int seed)
    {
        var random = new Random(seed);
        var (kept, rows) = (new RowStore(Width), new List<float[]>());
        for (var round = 0; round < 500; round++)
        {
            if (random.Next(10) == 0)
            {
                var length = random.Next(rows.Count + 1);
                kept.Truncate(length);
                rows.RemoveRange(length, rows.Count - length);
            }

            var more = Enumerable.Range(0, random.Next(1, 5)).Select(_ => Enumerable.Range(0, Width).Select(_ => random.NextSingle()).ToArray()).ToArray();
            kept.Add(rows.Count, more.SelectMany(row => row).ToArray());
            rows.AddRange(more);
            Assert.Equal((0, rows.Count, rows.Count * Width * 4L), (kept.From, kept.End, kept.Bytes));
            var from = random.Next(rows.Count);
            var copy = new float[random.Next(rows.Count - from + 1) * Width];
            kept.CopyTo(from, copy);
            Assert.Equal(rows.Skip(from).SelectMany(row => row).Take(copy.Length), copy);
        }
    }

    [Fact]
    public void Rows_that_do_not_follow_begin_anew()
    {
        var kept = new RowStore(Width);
        kept.Add(0, new float[3 * Width]);
        kept.Add(7, new float[2 * Width]);
        Assert.Equal((7, 9), (kept.From, kept.End));
        Assert.Throws<ArgumentOutOfRangeException>(() => kept.CopyTo(6, new float[Width]));
        Assert.Throws<ArgumentOutOfRangeException>(() => kept.CopyTo(8, new float[2 * Width]));
        kept.Truncate(5);
        Assert.Equal((5, 5, 0), (kept.From, kept.End, kept.Bytes));
    }
}
