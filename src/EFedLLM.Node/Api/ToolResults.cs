namespace EFedLLM.Node.Api;

/// <summary>What <c>efedllm tokenize --json</c> prints.</summary>
/// <param name="Ids">The token ids.</param>
internal sealed record TokenizeResult(IReadOnlyList<int> Ids);

/// <summary>What <c>efedllm cluster leader --json</c> prints.</summary>
/// <param name="Leader">The leader's address, or null.</param>
internal sealed record LeaderResult(string? Leader);

/// <summary>What <c>efedllm cert … --json</c> prints.</summary>
/// <param name="Folder">Where the files are.</param>
/// <param name="Authority">SHA-256 of the authority's public key.</param>
internal sealed record CertResult(string Folder, string Authority);
