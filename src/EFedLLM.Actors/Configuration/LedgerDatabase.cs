using Akka.Configuration;
using Npgsql;

namespace EFedLLM.Actors.Configuration;

/// <summary>
/// Where a ledger node keeps its entries: a SQLite file of its own, or a PostgreSQL database that it may share with other ledger nodes.
/// Its text form and its errors never show the connection string, which may hold a password.
/// </summary>
public sealed class LedgerDatabase
{
    /// <summary>The setting that decides it.</summary>
    public const string Key = "efedllm.ledger.database";

    /// <summary>The ledger's file in a node's data folder.</summary>
    public const string FileName = "ledger.db";

    private const int MostCharacters = 4096;

    private readonly string _name;

    private LedgerDatabase(bool isShared, string provider, string connectionString, string name)
        => (IsShared, Provider, ConnectionString, _name) = (isShared, provider, connectionString, name);

    /// <summary>Whether several ledger nodes may use it: PostgreSQL. A SQLite file belongs to one process.</summary>
    public bool IsShared { get; }

    /// <summary>Its kind, in the words of Akka.Persistence.Sql.</summary>
    public string Provider { get; }

    /// <summary>How to reach it. A secret: for drivers, never for people.</summary>
    public string ConnectionString { get; }

    /// <summary>What the setting says.</summary>
    /// <param name="setting">A PostgreSQL connection string; <c>@</c> and the path of a file that holds one; or nothing, for SQLite.</param>
    /// <param name="dataFolder">The node's data folder.</param>
    /// <exception cref="ConfigurationException">It says something else; the message names the setting and shows none of it.</exception>
    public static LedgerDatabase Of(string setting, string dataFolder)
    {
        ArgumentNullException.ThrowIfNull(setting);
        ArgumentNullException.ThrowIfNull(dataFolder);
        var text = (setting.StartsWith('@') ? ReadFile(setting[1..]) : setting).Trim();
        if (text.Length > 0)
        {
            return PostgreSql(text);
        }

        if (setting.StartsWith('@'))
        {
            throw new ConfigurationException($"{Key}: the file {setting[1..]} is empty; a PostgreSQL connection string is expected in it.");
        }

        var path = Path.Combine(Path.GetFullPath(dataFolder), FileName);
        return new LedgerDatabase(false, "SQLite.MS", $"Data Source={path}", $"the file {path}");
    }

    /// <summary>What it is and where, without secrets.</summary>
    public override string ToString() => _name;

    private static LedgerDatabase PostgreSql(string text)
    {
        NpgsqlConnectionStringBuilder connection;
        try
        {
            connection = new NpgsqlConnectionStringBuilder(text.Length <= MostCharacters ? text : throw new ArgumentException("It is too long."));
        }
        catch (Exception error) when (error is ArgumentException or FormatException or InvalidCastException or OverflowException or KeyNotFoundException)
        {
            // Neither the error nor its cause is kept: they quote parts of the text.
            throw Wrong("It is none");
        }

        if (string.IsNullOrWhiteSpace(connection.Host))
        {
            throw Wrong("It names no Host");
        }

        if (string.IsNullOrWhiteSpace(connection.Database))
        {
            throw Wrong("It names no Database");
        }

        // What the user did not choose: give up on a silent server before Akka's circuit breaker does, and notice one that is gone.
        Default("Timeout", () => connection.Timeout = 5);
        Default("Command Timeout", () => connection.CommandTimeout = 8);
        Default("Keepalive", () => connection.KeepAlive = 15);
        Default("Maximum Pool Size", () => connection.MaxPoolSize = 20);
        Default("Application Name", () => connection.ApplicationName = "efedllm");
        connection.PersistSecurityInfo = false;
        return new LedgerDatabase(
            true,
            "PostgreSQL.15",
            connection.ConnectionString,
            $"the PostgreSQL database {connection.Database} at {connection.Host}{(connection.Host.StartsWith('/') ? "" : $":{connection.Port}")}");

        void Default(string keyword, Action set)
        {
            if (!connection.ShouldSerialize(keyword))
            {
                set();
            }
        }
    }

    private static ConfigurationException Wrong(string how) => new(
        $"{Key} (--ledger-db) must be a PostgreSQL connection string such as Host=db.example.org;Database=efedllm;Username=efedllm;Password=..., or @ and the path of a file that holds one, or nothing for SQLite. {how}; it is not shown here because it may hold a password.");

    private static string ReadFile(string path)
    {
        try
        {
            using var reader = new StreamReader(path);
            var buffer = new char[MostCharacters + 1];
            var count = reader.ReadBlock(buffer);
            return count <= MostCharacters
                ? new string(buffer, 0, count)
                : throw new ConfigurationException($"{Key}: the file {path} has more than {MostCharacters} characters: it holds no connection string.");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new ConfigurationException($"{Key}: the file {path} cannot be read: {error.Message}", error);
        }
    }
}
