using CsCheck;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;
using EFedLLM.Actors.Reputation;
using Microsoft.Data.Sqlite;
using Xunit.Abstractions;

namespace EFedLLM.Actors.Tests.Reputation;

public sealed class OutboxFileTests(ITestOutputHelper output) : IDisposable
{
    private static readonly OutboxLimits Limits = new(1000, 1 << 20);

    private readonly string _root = Directory.CreateTempSubdirectory("efedllm-outbox-").FullName;

    private string Database => Path.Combine(_root, "outbox.db");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Every_report_comes_back_as_it_was()
        => LedgerSamples.Reports.Select(report => report with { Amount = 0, Size = new WorkSize(report.Tokens, 2), Signed = null }).Sample(report => report == OutboxForm.Read(OutboxForm.Write(report)), iter: 300, threads: 1);

    [Fact]
    public void The_largest_report_fits_many_times_into_its_bound()
        => Assert.InRange(OutboxForm.Write(LedgerSamples.Report(int.MaxValue, long.MaxValue, ProtocolLimits.SessionTokens)).Length, 100, OutboxForm.MostBytes / 4);

    [Fact]
    public void Damaged_bytes_are_read_or_refused_and_nothing_else()
    {
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var bytes = OutboxForm.Write(LedgerSamples.Report(1, 1));
        for (var round = 0; round < 3000; round++)
        {
            byte[] damaged = round < bytes.Length ? bytes[..round] : [.. bytes];
            for (var flips = round < bytes.Length ? 0 : random.Next(1, 9); flips > 0; flips--)
            {
                damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            }

            try
            {
                OutboxForm.Read(damaged);
            }
            catch (MalformedMessageException)
            {
                // Refused, as it should be.
            }
        }

        Assert.Throws<MalformedMessageException>(() => OutboxForm.Read(new byte[OutboxForm.MostBytes + 1]));
    }

    [Fact]
    public async Task What_was_added_and_not_removed_is_there_in_order_and_no_position_is_given_twice()
    {
        var file = OutboxFile.Open(Database, Limits);
        Assert.Equal((0, 0L, null), (file.Waiting.Length, file.LastPosition, file.Warning));
        var entries = Entries(1, 5);
        await file.ApplyAsync(entries, []);
        await file.ApplyAsync([], [2, 4]);
        await file.CloseAsync();

        file = OutboxFile.Open(Database, Limits);
        Assert.Equal([1L, 3, 5], file.Waiting.Select(entry => entry.Position));
        Assert.Equal([entries[0].Report, entries[2].Report, entries[4].Report], file.Waiting.Select(entry => entry.Report));
        await file.ApplyAsync([], [1, 3, 5]);
        await file.CloseAsync();

        file = OutboxFile.Open(Database, Limits);
        Assert.Equal((0, 5L, null), (file.Waiting.Length, file.LastPosition, file.Warning));
        await file.CloseAsync();
    }

    [Fact]
    public async Task A_write_that_fails_leaves_nothing_behind_and_the_next_one_works()
    {
        var file = OutboxFile.Open(Database, Limits);
        await file.ApplyAsync(Entries(1, 2), []);
        await Assert.ThrowsAnyAsync<SqliteException>(() => file.ApplyAsync([.. Entries(3, 1), .. Entries(1, 1)], [2]));
        await file.ApplyAsync(Entries(4, 1), []);
        await file.CloseAsync();
        file = OutboxFile.Open(Database, Limits);
        Assert.Equal([1L, 2, 4], file.Waiting.Select(entry => entry.Position));
        await file.CloseAsync();
    }

    [Fact]
    public async Task What_a_killed_process_leaves_is_read_whole()
    {
        var file = OutboxFile.Open(Database, Limits);
        await file.ApplyAsync(Entries(1, 50), []);
        await file.ApplyAsync([], [7]);

        // The files as they are at this moment, with nothing flushed, closed or said goodbye to.
        var left = Copy("left");
        await file.CloseAsync();
        var again = OutboxFile.Open(left, Limits);
        Assert.Equal(49, again.Waiting.Length);
        Assert.Null(again.Warning);
        await again.CloseAsync();
    }

    [Fact]
    public async Task Whatever_is_cut_off_or_overwritten_it_opens_keeps_a_true_part_and_says_what_was_lost()
    {
        var seed = Environment.TickCount;
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var file = OutboxFile.Open(Database, Limits);
        var entries = Entries(1, 400);
        await file.ApplyAsync(entries, []);
        await file.CloseAsync();
        var whole = await File.ReadAllBytesAsync(Database);
        Assert.InRange(whole.Length, 40_000, 400_000);
        var (saved, warnings) = (0, 0);
        for (var round = 0; round < 60; round++)
        {
            var path = Path.Combine(Directory.CreateDirectory(Path.Combine(_root, $"{round}")).FullName, "outbox.db");
            byte[] damaged = round % 2 == 0 ? whole[..random.Next(whole.Length)] : [.. whole];
            for (var at = round % 2 == 0 ? damaged.Length : random.Next(whole.Length); at < Math.Min(damaged.Length, whole.Length - 1) && random.Next(5000) > 0; at++)
            {
                damaged[at] = (byte)random.Next(256);
            }

            await File.WriteAllBytesAsync(path, damaged);
            var opened = OutboxFile.Open(path, Limits);
            Assert.All(opened.Waiting, entry => Assert.Equal(LedgerSamples.Device, entry.Report.Device));
            saved += opened.Waiting.Length;
            warnings += opened.Warning is null ? 0 : 1;
            Assert.True(opened.Waiting.Length == 400 || opened.Warning is not null || damaged.Length == 0, $"round {round}: {opened.Waiting.Length} without a warning");
            await opened.ApplyAsync(Entries(opened.LastPosition + 1, 1), []);
            await opened.CloseAsync();
        }

        output.WriteLine($"{saved} of {60 * 400} saved, {warnings} warnings");
        Assert.True(saved > 400 && warnings > 30, $"{saved} saved, {warnings} warnings");
    }

    [Fact]
    public async Task Rows_without_sense_are_removed_with_a_warning_and_no_more_are_read_than_may_wait()
    {
        var file = OutboxFile.Open(Database, Limits);
        await file.ApplyAsync(Entries(1, 10), []);
        await file.CloseAsync();
        await using (var connection = new SqliteConnection($"Data Source={Database};Pooling=false"))
        {
            await connection.OpenAsync();
            await using var command = connection.CreateCommand();
            command.CommandText = "INSERT INTO report (body) VALUES (x'00'), (zeroblob(5000000)); UPDATE report SET body = 'text' WHERE position = 3";
            await command.ExecuteNonQueryAsync();
        }

        file = OutboxFile.Open(Database, Limits);
        Assert.Equal([1L, 2, 4, 5, 6, 7, 8, 9, 10], file.Waiting.Select(entry => entry.Position));
        Assert.Contains("3 reports", file.Warning, StringComparison.Ordinal);
        await file.CloseAsync();
        file = OutboxFile.Open(Database, new OutboxLimits(4, 1 << 20));
        Assert.Equal([1L, 2, 4, 5], file.Waiting.Select(entry => entry.Position));
        Assert.Equal(12, file.LastPosition);
        await file.CloseAsync();
    }

    [Fact]
    public void A_file_that_cannot_be_written_stops_the_start_with_a_reason()
    {
        File.WriteAllText(Path.Combine(_root, "file"), "");
        var error = Assert.Throws<LedgerUnavailableException>(() => OutboxFile.Open(Path.Combine(_root, "file", "outbox.db"), Limits));
        Assert.Contains("--data", error.Message, StringComparison.Ordinal);
    }

    private static OutboxEntry[] Entries(long first, int count) => [.. Enumerable.Range(0, count)
        .Select(i => LedgerSamples.Report(1, first + i))
        .Select(report => new OutboxEntry(report.Id.Sequence, report, OutboxForm.Write(report)))];

    private string Copy(string folder)
    {
        var target = Directory.CreateDirectory(Path.Combine(_root, folder)).FullName;
        foreach (var file in Directory.GetFiles(_root, "outbox.db*"))
        {
            using var from = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var to = File.Create(Path.Combine(target, Path.GetFileName(file)));
            from.CopyTo(to);
        }

        return Path.Combine(target, "outbox.db");
    }
}
