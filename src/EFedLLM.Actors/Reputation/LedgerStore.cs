using EFedLLM.Actors.Configuration;

namespace EFedLLM.Actors.Reputation;

/// <summary>
/// What lies under a ledger node's entries, made ready before the node starts: it can be reached and written, has its tables, and is held
/// by this process where only one may. For a node that is no ledger node it is nothing.
/// </summary>
public sealed class LedgerStore : IDisposable
{
    private readonly IDisposable? _claim;

    private LedgerStore(NodeSettings settings, IDisposable? claim) => (Settings, _claim) = (settings, claim);

    /// <summary>The node's settings, with the role by which others know which ledger it keeps.</summary>
    public NodeSettings Settings { get; }

    /// <summary>Makes it ready.</summary>
    /// <param name="settings">The node's.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>Is to be disposed of when the node's actor system has ended.</returns>
    /// <exception cref="LedgerUnavailableException">It cannot be used; the message says why and what to do, and holds no secret.</exception>
    /// <exception cref="Akka.Configuration.ConfigurationException">A setting is unknown or impossible.</exception>
    public static async Task<LedgerStore> OpenAsync(NodeSettings settings, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var configuration = NodeConfiguration.Build(settings);
        if (!settings.Roles.Contains(ClusterNames.Ledger, StringComparer.Ordinal))
        {
            return new LedgerStore(settings, null);
        }

        var database = LedgerDatabase.Of(configuration.GetString(LedgerDatabase.Key, ""), settings.DataFolder);
        if (database.IsShared)
        {
            var shared = await LedgerTables.PrepareAsync(database, cancellation).ConfigureAwait(false);
            return new LedgerStore(settings with { LedgerRole = new LedgerIdentity(true, shared).ToRole() }, null);
        }

        var (file, id) = LedgerFile.Open(database.ConnectionString);
        return new LedgerStore(settings with { LedgerRole = new LedgerIdentity(false, id).ToRole() }, file);
    }

    /// <inheritdoc/>
    public void Dispose() => _claim?.Dispose();
}
