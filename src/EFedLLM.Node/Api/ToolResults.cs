namespace EFedLLM.Node.Api;

/// <summary>What <c>efedllm tokenize --json</c> prints.</summary>
/// <param name="Ids">The token ids.</param>
internal sealed record TokenizeResult(IReadOnlyList<int> Ids);

/// <summary>What <c>efedllm compress --json</c> prints.</summary>
/// <param name="Folder">The factored model's folder.</param>
/// <param name="Model">Its id.</param>
/// <param name="Profile">The profile.</param>
/// <param name="Bytes">Bytes of its weight files.</param>
/// <param name="BitsPerWeight">Bits per weight with everything in.</param>
/// <param name="LinearAlgebra">What decomposed the matrices.</param>
internal sealed record CompressResult(string Folder, string Model, string Profile, long Bytes, double BitsPerWeight, string LinearAlgebra);

/// <summary>What <c>efedllm cluster leader --json</c> prints.</summary>
/// <param name="Leader">The leader's address, or null.</param>
internal sealed record LeaderResult(string? Leader);

/// <summary>What <c>efedllm cert … --json</c> prints.</summary>
/// <param name="Folder">Where the files are.</param>
/// <param name="Authority">SHA-256 of the authority's public key.</param>
internal sealed record CertResult(string Folder, string Authority);
