namespace EFedLLM.Actors.Reputation;

/// <summary>Which ledger a node keeps. It is written into the ledger itself when that is made, and travels as a role of the node, so that every member knows it from the first moment.</summary>
/// <param name="IsShared">Whether several nodes may keep it together: a PostgreSQL database, and no file.</param>
/// <param name="Id">Tells it from all others.</param>
internal readonly record struct LedgerIdentity(bool IsShared, Guid Id)
{
    private const string Shared = "ledger-database-";
    private const string File = "ledger-file-";

    /// <summary>The role that says so.</summary>
    public string ToRole() => $"{(IsShared ? Shared : File)}{Id:n}";

    /// <summary>What a member's roles say, or null.</summary>
    public static LedgerIdentity? Find(IEnumerable<string> roles)
    {
        foreach (var role in roles)
        {
            var prefix = role.StartsWith(Shared, StringComparison.Ordinal) ? Shared : role.StartsWith(File, StringComparison.Ordinal) ? File : null;
            if (prefix is not null && Guid.TryParseExact(role.AsSpan(prefix.Length), "n", out var id))
            {
                return new LedgerIdentity(prefix == Shared, id);
            }
        }

        return null;
    }
}
