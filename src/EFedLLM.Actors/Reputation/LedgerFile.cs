using Microsoft.Data.Sqlite;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// The SQLite file under the ledger, made ready before the journal opens it: it can be written, this process is its only user, and it
/// keeps a write-ahead log, with which it takes three times as many entries a second.
/// </summary>
internal static class LedgerFile
{
    /// <summary>Makes the file ready.</summary>
    /// <param name="connectionString">As the journal uses it.</param>
    /// <returns>What keeps other processes from the file until it is disposed of, or the process ends in whatever way; and the ledger's id.</returns>
    /// <exception cref="LedgerUnavailableException">The file cannot be used.</exception>
    public static (IDisposable Claim, Guid Id) Open(string connectionString)
    {
        var path = Path.GetFullPath(new SqliteConnectionStringBuilder(connectionString).DataSource);
        FileStream? claim = null;
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            claim = Claim(path);

            // Without the pool, whose connections would outlive the check.
            using var connection = new SqliteConnection(new SqliteConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString);
            connection.Open();
            Execute(connection, "PRAGMA journal_mode = WAL");
            Execute(
                connection,
                "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS ledger (id TEXT NOT NULL); INSERT INTO ledger SELECT lower(hex(randomblob(16))) WHERE NOT EXISTS (SELECT 1 FROM ledger); COMMIT");
            var id = Guid.TryParseExact(Execute(connection, "SELECT id FROM ledger") as string, "n", out var found)
                ? found
                : throw new SqliteException("its id is damaged", 11);
            var kept = claim;
            claim = null;
            return (kept, id);
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            throw new LedgerUnavailableException(
                $"The ledger's file {path} cannot be used: {e.Message.TrimEnd('.')}. Check that it may be written and that the disk has room, or name another data folder (--data); a damaged file has to be replaced by a copy, or moved away, which loses its entries.",
                e);
        }
        finally
        {
            claim?.Dispose();
        }
    }

    private static FileStream Claim(string path)
    {
        try
        {
            return new FileStream($"{path}.lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (File.Exists($"{path}.lock"))
        {
            throw new LedgerUnavailableException($"The ledger's file {path} is used by another process: end that one, or name another data folder (--data).", e);
        }
    }

    private static object? Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The texts are constants of this class.
        command.CommandText = sql;
#pragma warning restore CA2100
        return command.ExecuteScalar();
    }
}
