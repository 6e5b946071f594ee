namespace EFedLLM.Actors.Blobs;

/// <summary>What a device needs to give model files and to fetch those that it lacks.</summary>
/// <param name="Store">Its files.</param>
/// <param name="Fetcher">Fetches into <paramref name="Store"/>.</param>
/// <param name="Port">The port at which it gives them; 0 when it gives none.</param>
/// <param name="Tls">Whether the cluster uses TLS.</param>
public sealed record DeviceBlobs(BlobStore Store, BlobFetcher Fetcher, int Port, bool Tls);
