using System.Collections.Immutable;
using EFedLLM.Actors.Protocol.Wire;
using Microsoft.Data.Sqlite;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// The reports that wait for the ledger, on disk: a small SQLite file with a write-ahead log. What is written survives the death of the
/// process at any moment; a power cut may cost the last moment's. A damaged file costs what cannot be read any more, never a start.
/// Writes are done one after the other on the thread pool.
/// </summary>
internal sealed class OutboxFile
{
    /// <summary>The form of the file.</summary>
    private const int Form = 1;

    private const int Corrupt = 11;
    private const int NotADatabase = 26;

    private readonly SqliteConnection _connection;
    private readonly Lock _gate = new();
    private Task _last = Task.CompletedTask;

    private OutboxFile(SqliteConnection connection, ImmutableArray<OutboxEntry> waiting, long last, string? warning)
        => (_connection, Waiting, LastPosition, Warning) = (connection, waiting, last, warning);

    /// <summary>What waited when it was opened, in order; no more than may wait.</summary>
    public ImmutableArray<OutboxEntry> Waiting { get; }

    /// <summary>The highest position that was ever in it when it was opened.</summary>
    public long LastPosition { get; }

    /// <summary>What was lost when it was opened, or null.</summary>
    public string? Warning { get; }

    /// <summary>Opens or makes it.</summary>
    /// <param name="path">The file; its folder has one user at a time.</param>
    /// <param name="limits">How much may wait.</param>
    /// <exception cref="LedgerUnavailableException">It cannot be written; the message says why and what to do.</exception>
    public static OutboxFile Open(string path, OutboxLimits limits)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
            try
            {
                return Open(path, limits, null);
            }
            catch (SqliteException error) when (error.SqliteErrorCode is Corrupt or NotADatabase)
            {
                return Replace(path, limits);
            }
        }
        catch (Exception error) when (error is SqliteException or IOException or UnauthorizedAccessException)
        {
            throw new LedgerUnavailableException(
                $"The file {path}, in which reports wait for the ledger, cannot be used: {error.Message.TrimEnd('.')}. Check that it may be written and that the disk has room, or name another data folder (--data).",
                error);
        }
    }

    /// <summary>Writes changes as one: all of them are on disk when the task completes, or none when it fails.</summary>
    /// <param name="added">New ones.</param>
    /// <param name="removed">Positions that the ledger has.</param>
    public Task ApplyAsync(IReadOnlyCollection<OutboxEntry> added, IReadOnlyCollection<long> removed) => EnqueueAsync(() => Apply(added, removed));

    /// <summary>Closes it after what was written before.</summary>
    public Task CloseAsync() => EnqueueAsync(_connection.Dispose);

    private Task EnqueueAsync(Action action)
    {
        lock (_gate)
        {
            return _last = _last.ContinueWith(_ => action(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }

    private void Apply(IReadOnlyCollection<OutboxEntry> added, IReadOnlyCollection<long> removed)
    {
        using var transaction = _connection.BeginTransaction();
        Insert(_connection, transaction, added);
        using (var delete = _connection.CreateCommand())
        {
            delete.Transaction = transaction;
            delete.CommandText = "DELETE FROM report WHERE position = $position";
            var position = delete.Parameters.Add("$position", SqliteType.Integer);
            foreach (var number in removed)
            {
                position.Value = number;
                delete.ExecuteNonQuery();
            }
        }

        transaction.Commit();
    }

    private static OutboxFile Open(string path, OutboxLimits limits, string? warning)
    {
        var connection = Connect(path);
        try
        {
            Ask(connection, "PRAGMA journal_mode = WAL");
            Ask(connection, "PRAGMA synchronous = NORMAL");
            Ask(connection, "PRAGMA journal_size_limit = 4194304");
            if (Ask(connection, "PRAGMA quick_check(1)") is not "ok")
            {
                throw new SqliteException("The file is damaged", Corrupt);
            }

            // Numbers are never given twice, also after everything was delivered: AUTOINCREMENT remembers the highest.
            Ask(connection, $"CREATE TABLE IF NOT EXISTS report (position INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL); PRAGMA user_version = {Form}");
            var (waiting, senseless) = Read(connection, limits);
            if (senseless.Count > 0)
            {
                warning = $"{warning}{(warning is null ? "" : " ")}{senseless.Count} reports in {path} made no sense and were removed.";
                Ask(connection, $"DELETE FROM report WHERE position IN ({string.Join(',', senseless)})");
            }

            var last = (long)Ask(connection, "SELECT max(coalesce((SELECT max(position) FROM report), 0), coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'report'), 0))")!;
            return new OutboxFile(connection, waiting, last, warning);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Saves what a damaged file still says up to where it is damaged, and begins a new one with it. The old one is kept beside it.</summary>
    private static OutboxFile Replace(string path, OutboxLimits limits)
    {
        var saved = new List<OutboxEntry>();
        try
        {
            using var damaged = Connect(path);
            foreach (var entry in Rows(damaged, limits).Where(row => row.Entry is not null))
            {
                saved.Add(entry.Entry!);
            }
        }
        catch (SqliteException)
        {
            // This far and no further.
        }

        var aside = $"{path}.damaged";
        foreach (var suffix in new[] { "", "-wal", "-shm" })
        {
            File.Delete($"{aside}{suffix}");
            if (File.Exists($"{path}{suffix}"))
            {
                File.Move($"{path}{suffix}", $"{aside}{suffix}");
            }
        }

        var made = Open(path, limits, null);
        made.Apply(saved, []);
        made._connection.Dispose();

        return Open(path, limits, $"The file {path}, in which reports wait for the ledger, was damaged: {saved.Count} reports were saved, and what else was in it is in {aside}.");
    }

    private static (ImmutableArray<OutboxEntry> Waiting, List<long> Senseless) Read(SqliteConnection connection, OutboxLimits limits)
    {
        var waiting = ImmutableArray.CreateBuilder<OutboxEntry>();
        var senseless = new List<long>();
        var work = 0;
        foreach (var (position, entry) in Rows(connection, limits))
        {
            if (entry is null)
            {
                senseless.Add(position);
            }
            else if (OwnConvictions.IsOne(entry.Report) || work++ < limits.Reports)
            {
                waiting.Add(entry);
            }
        }

        return (waiting.ToImmutable(), senseless);
    }

    private static IEnumerable<(long Position, OutboxEntry? Entry)> Rows(SqliteConnection connection, OutboxLimits limits)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT position, CASE WHEN length(body) <= $most THEN body END FROM report ORDER BY position LIMIT $reports";
        command.Parameters.AddWithValue("$most", OutboxForm.MostBytes);
        command.Parameters.AddWithValue("$reports", limits.MostReports);
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            var position = reader.GetInt64(0);
            yield return (position, reader.IsDBNull(1) ? null : Parse(position, reader.GetFieldValue<byte[]>(1)));
        }
    }

    private static OutboxEntry? Parse(long position, byte[] body)
    {
        try
        {
            return new OutboxEntry(position, OutboxForm.Read(body), body);
        }
        catch (MalformedMessageException)
        {
            return null;
        }
    }

    private static void Insert(SqliteConnection connection, SqliteTransaction transaction, IReadOnlyCollection<OutboxEntry> entries)
    {
        using var insert = connection.CreateCommand();
        insert.Transaction = transaction;
        insert.CommandText = "INSERT INTO report (position, body) VALUES ($position, $body)";
        var position = insert.Parameters.Add("$position", SqliteType.Integer);
        var body = insert.Parameters.Add("$body", SqliteType.Blob);
        foreach (var entry in entries)
        {
            (position.Value, body.Value) = (entry.Position, entry.Body);
            insert.ExecuteNonQuery();
        }
    }

    private static SqliteConnection Connect(string path)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = Path.GetFullPath(path), Pooling = false }.ConnectionString);
        connection.Open();
        return connection;
    }

    private static object? Ask(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The texts are constants of this class and numbers.
        command.CommandText = sql;
#pragma warning restore CA2100
        return command.ExecuteScalar();
    }
}
