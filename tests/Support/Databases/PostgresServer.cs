using System.Diagnostics;
using System.Text;
using Npgsql;

namespace EFedLLM.Tests.Support.Databases;

/// <summary>
/// A PostgreSQL server of the tests' own, in a temporary folder, reachable by a socket in it and with a password. It ends with this
/// process, however that ends: a shell between the two waits for the end of a pipe that only we hold.
/// </summary>
internal sealed class PostgresServer : IAsyncDisposable
{
    public const string User = "keeper";

    /// <summary>A word that no log may ever show.</summary>
    public const string Password = "Sesame-0pen!";

    private const string Supervise = "\"$@\" </dev/null & server=$!; read -r line; kill -QUIT $server; wait $server";

    // Far longer than a start takes, so that only what never happens runs into it.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _folder;
    private readonly string _binaries;
    private Process? _process;

    private PostgresServer(string folder, string binaries) => (_folder, _binaries) = (folder, binaries);

    /// <summary>Why there is none on this machine, or null.</summary>
    public static string? Missing { get; } = !OperatingSystem.IsLinux() ? "PostgreSQL is started on Linux only."
        : Binaries() is null ? "PostgreSQL is not here: install it (Debian: apt-get install postgresql)."
        : null;

    /// <summary>Starts one.</summary>
    /// <exception cref="InvalidOperationException">There is none, or it does not start; the message says what it said.</exception>
    public static async Task<PostgresServer> StartAsync()
    {
        var server = new PostgresServer(
            Directory.CreateTempSubdirectory("efedllm-pg-").FullName, Binaries() ?? throw new InvalidOperationException(Missing));
        try
        {
            var password = Path.Combine(server._folder, "password");
            await File.WriteAllTextAsync(password, Password);
            if (Environment.IsPrivilegedProcess)
            {
                await server.RunAsync("chown", "-R", Account(), server._folder);
            }

            await server.RunAsync([.. AsAccount(), Path.Combine(server._binaries, "initdb"), "--pgdata", server.Data, "--no-sync", "--auth", "scram-sha-256", "--username", User, "--pwfile", password, "--encoding", "UTF8", "--locale", "C"]);
            await server.ResumeAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    private string Data => Path.Combine(_folder, "data");

    /// <summary>How its database of that name is reached.</summary>
    public string Connection(string database, string user = User, string password = Password) => $"Host={_folder};Database={database};Username={user};Password={password}";

    /// <summary>A new empty database.</summary>
    /// <returns>How it is reached.</returns>
    public async Task<string> NewDatabaseAsync()
    {
        var name = $"test_{Guid.NewGuid():n}";
        await ExecuteAsync(Connection("postgres"), $"CREATE DATABASE {name}");
        return Connection(name);
    }

    /// <summary>The first column of what a query answers, as text.</summary>
    public static async Task<IReadOnlyList<string>> QueryAsync(string connection, string sql)
    {
        await using var open = new NpgsqlConnection($"{connection};Pooling=false");
        await open.OpenAsync();
        await using var command = new NpgsqlCommand(sql, open);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<string>();
        while (await reader.ReadAsync())
        {
            rows.Add(reader[0].ToString()!);
        }

        return rows;
    }

    /// <summary>Carries out a statement.</summary>
    public static Task ExecuteAsync(string connection, string sql) => QueryAsync(connection, sql);

    /// <summary>Ends it at once, as a crash would: every connection breaks.</summary>
    public async Task StopAsync()
    {
        if (_process is { } process)
        {
            process.StandardInput.Close();
            await process.WaitForExitAsync().WaitAsync(Patience);
            process.Dispose();
            _process = null;
        }
    }

    /// <summary>Starts it again on the same data.</summary>
    public async Task ResumeAsync()
    {
        _process = Start(
            [.. AsAccount(), "sh", "-c", Supervise, "sh", Path.Combine(_binaries, "postgres"), "-D", Data, "-k", _folder, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "logging_collector=off"]);
        var said = new StringBuilder();
        using var patience = new CancellationTokenSource(Patience);
        while (await _process.StandardError.ReadLineAsync(patience.Token) is { } line)
        {
            said.AppendLine(line);
            if (line.Contains("database system is ready to accept connections", StringComparison.Ordinal))
            {
                // What it says later must not fill the pipe.
                _ = _process.StandardError.ReadToEndAsync(CancellationToken.None);
                return;
            }

            if (line.Contains("database system is shut down", StringComparison.Ordinal) || line.Contains("FATAL: ", StringComparison.Ordinal))
            {
                break;
            }
        }

        throw new InvalidOperationException($"PostgreSQL did not start: {said}");
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>The folder with initdb and postgres: where PATH finds them, else the newest of Debian's.</summary>
    private static string? Binaries() => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
        .Concat(Directory.Exists("/usr/lib/postgresql")
            ? Directory.GetDirectories("/usr/lib/postgresql")
                .OrderByDescending(folder => int.TryParse(Path.GetFileName(folder), System.Globalization.CultureInfo.InvariantCulture, out var version) ? version : 0)
                .Select(folder => Path.Combine(folder, "bin"))
            : [])
        .FirstOrDefault(folder => File.Exists(Path.Combine(folder, "initdb")) && File.Exists(Path.Combine(folder, "postgres")));

    /// <summary>It refuses to run as root: then it runs as its own account where there is one, else as nobody.</summary>
    private static string Account() => File.ReadLines("/etc/passwd").Any(line => line.StartsWith("postgres:", StringComparison.Ordinal)) ? "postgres" : "nobody";

    private static string[] AsAccount() => Environment.IsPrivilegedProcess
        ? ["setpriv", "--reuid", Account(), "--regid", Group(), "--clear-groups", "--"]
        : [];

    private static string Group() => File.ReadLines("/etc/passwd").First(line => line.StartsWith($"{Account()}:", StringComparison.Ordinal)).Split(':')[3];

    private Process Start(string[] command)
    {
        var start = new ProcessStartInfo(command[0])
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
            WorkingDirectory = _folder,
        };
        foreach (var argument in command.Skip(1))
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["LC_ALL"] = "C";
        return Process.Start(start)!;
    }

    private async Task RunAsync(params string[] command)
    {
        using var process = Start(command);
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(Patience);
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{string.Join(' ', command)} failed: {await output}{await error}");
        }
    }
}
