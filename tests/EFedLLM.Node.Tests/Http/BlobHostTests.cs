using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using EFedLLM.Actors.Blobs;
using EFedLLM.Actors.Configuration;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Compression;
using EFedLLM.Node.CommandLine;
using EFedLLM.Node.Http;
using EFedLLM.Transformer.Checkpoints;
using Microsoft.Extensions.Logging.Abstractions;
using ContentRangeHeaderValue = Microsoft.Net.Http.Headers.ContentRangeHeaderValue;
using RangeHeaderValue = Microsoft.Net.Http.Headers.RangeHeaderValue;

namespace EFedLLM.Node.Tests.Http;

/// <summary>The real server, real files, and real clients, with TLS and without.</summary>
public sealed class BlobHostTests : IDisposable
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly BlobLimits Limits = BlobLimits.Read(NodeConfiguration.Build(
        new NodeSettings { Roles = [ClusterNames.Anchor], DataFolder = Path.GetTempPath() }, new Dictionary<string, string>()));

    private readonly string _folder = Directory.CreateTempSubdirectory("efedllm-blobs-").FullName;
    private readonly BlobStore _store;
    private readonly ModelManifest _manifest;
    private readonly ModelId _model;
    private readonly byte[] _content;

    public BlobHostTests()
    {
        var shape = new ModelShape
        {
            Architecture = "LlamaForCausalLM",
            VocabularySize = 64,
            HiddenSize = 64,
            IntermediateSize = 128,
            Layers = 1,
            Heads = 1,
            KeyValueHeads = 1,
            HeadSize = 64,
            ContextLength = 64,
            NormEpsilon = 1e-5f,
            Rope = new RopeSettings(10000),
        };
        RandomModel.Write(shape, In("model"), seed: 3);
        _store = BlobStore.Open(In("giver"), 1L << 30);
        _model = _store.AddFolder(In("model"));
        Assert.True(_store.TryManifest(_model, out var manifest));
        _manifest = manifest;
        _content = File.ReadAllBytes(Path.Combine(In("model"), _manifest.Files[1].Name));
    }

    private string Name => _manifest.Files[1].Sha256;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_file_comes_whole_with_its_name_for_a_tag()
    {
        await using var host = await StartAsync();
        using var http = Client(host);
        using var response = await http.GetAsync(Blob(Name));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(($"\"{Name}\"", "bytes"), (response.Headers.ETag!.Tag, Assert.Single(response.Headers.AcceptRanges)));
        Assert.Equal(_content, await response.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task A_manifest_comes_by_its_model_s_id()
    {
        await using var host = await StartAsync();
        using var http = Client(host);
        Assert.Equal(_model, ModelManifest.IdOf(await http.GetByteArrayAsync(Blob(_model.Value))));
    }

    [Theory]
    [InlineData("bytes=0-0", 0, 1)]
    [InlineData("bytes=100-299", 100, 200)]
    [InlineData("bytes=100-", 100, -100)]
    [InlineData("bytes=-7", -7, 7)]
    [InlineData("bytes=0-99999999999", 0, -0)]
    [InlineData("bytes=-99999999999", 0, -0)]
    public async Task A_range_comes_alone_and_says_what_it_is(string range, int from, int length)
    {
        await using var host = await StartAsync();
        using var http = Client(host);
        var offset = from < 0 ? _content.Length + from : from;
        var expected = _content.AsSpan(offset, length <= 0 ? _content.Length + length : length).ToArray();
        using var response = await SendAsync(http, HttpMethod.Get, range);
        Assert.Equal(HttpStatusCode.PartialContent, response.StatusCode);
        Assert.Equal(new ContentRangeHeaderValue(offset, offset + expected.Length - 1, _content.Length).ToString(), response.Content.Headers.ContentRange!.ToString());
        Assert.Equal(expected, await response.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData("bytes=99999999999-")]
    [InlineData("bytes=-0")]
    public async Task A_range_outside_the_file_is_refused_with_the_file_s_length(string range)
    {
        await using var host = await StartAsync();
        using var http = Client(host);
        using var response = await SendAsync(http, HttpMethod.Get, range);
        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, response.StatusCode);
        Assert.Equal($"bytes */{_content.Length}", response.Content.Headers.ContentRange!.ToString());
    }

    [Theory]
    [InlineData("bytes=0-1,5-6")]
    [InlineData("bytes=5-1")]
    [InlineData("lines=1-2")]
    [InlineData("nonsense")]
    public async Task A_range_header_that_is_none_or_several_is_ignored(string range)
    {
        await using var host = await StartAsync();
        using var http = Client(host);
        using var response = await SendAsync(http, HttpMethod.Get, range);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(_content.Length, response.Content.Headers.ContentLength);
    }

    [Fact]
    public async Task A_range_counts_only_for_the_file_that_the_client_means()
    {
        await using var host = await StartAsync();
        using var http = Client(host);
        using var same = await SendAsync(http, HttpMethod.Get, "bytes=1-2", $"\"{Name}\"");
        using var other = await SendAsync(http, HttpMethod.Get, "bytes=1-2", "\"other\"");
        Assert.Equal((HttpStatusCode.PartialContent, HttpStatusCode.OK), (same.StatusCode, other.StatusCode));
    }

    [Fact]
    public async Task A_head_says_the_length_and_sends_nothing()
    {
        await using var host = await StartAsync();
        using var http = Client(host);
        using var response = await SendAsync(http, HttpMethod.Head, "bytes=1-2");
        Assert.Equal((HttpStatusCode.OK, (long?)_content.Length), (response.StatusCode, response.Content.Headers.ContentLength));
        Assert.Empty(await response.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData("GET", "/blobs/0000000000000000000000000000000000000000000000000000000000000000", 404)]
    [InlineData("GET", "/blobs/../device.key", 404)]
    [InlineData("GET", "/blobs/%2e%2e%2fdevice.key", 404)]
    [InlineData("GET", "/", 404)]
    [InlineData("POST", "/blobs/x", 405)]
    [InlineData("DELETE", "/blobs/x", 405)]
    public async Task Everything_else_is_refused(string method, string path, int status)
    {
        File.WriteAllText(Path.Combine(In("giver"), "device.key"), "secret");
        await using var host = await StartAsync();
        using var client = new TcpClient("127.0.0.1", host.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        using var reader = new StreamReader(client.GetStream());
        var answer = await reader.ReadToEndAsync().WaitAsync(Patience);
        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void A_part_longer_than_the_limit_is_cut()
    {
        Assert.Equal(new ByteRange(10, 50, true), ByteRange.Resolve(RangeHeaderValue.Parse("bytes=10-500"), 1000, 50));
        Assert.Equal(new ByteRange(900, 50, true), ByteRange.Resolve(RangeHeaderValue.Parse("bytes=-100"), 1000, 50));
        Assert.Equal(new ByteRange(0, 1000, false), ByteRange.Resolve(null, 1000, 50));
    }

    [Fact]
    public async Task More_requests_in_a_second_than_the_limit_are_told_to_come_back()
    {
        await using var host = await StartAsync(Limits with { Requests = 5 });
        using var http = Client(host);
        var statuses = new List<HttpStatusCode>();
        for (var request = 0; request < 20; request++)
        {
            using var response = await SendAsync(http, HttpMethod.Head, null);
            statuses.Add(response.StatusCode);
        }

        Assert.Contains(HttpStatusCode.OK, statuses);
        Assert.Contains(HttpStatusCode.TooManyRequests, statuses);
    }

    [Fact]
    public async Task More_transfers_than_places_are_told_to_come_back_and_a_place_is_free_again_when_one_ends()
    {
        // Larger than what buffers between the two ends take, so that a transfer that nobody reads stays under way.
        var large = new byte[32 << 20];
        await using var host = await StartAsync(Limits with { Uploads = 1 }, Large(large, out var name));
        using var http = Client(host);
        using (var holding = await http.GetAsync(Blob(name), HttpCompletionOption.ResponseHeadersRead))
        {
            Assert.Equal(HttpStatusCode.OK, holding.StatusCode);
            using var refused = await http.GetAsync(Blob(name), HttpCompletionOption.ResponseHeadersRead);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
            Assert.Equal(TimeSpan.FromSeconds(1), refused.Headers.RetryAfter!.Delta);
            using var head = new HttpRequestMessage(HttpMethod.Head, Blob(name));
            Assert.Equal(HttpStatusCode.OK, (await http.SendAsync(head)).StatusCode);
        }

        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            using var again = await http.GetAsync(Blob(name), HttpCompletionOption.ResponseHeadersRead, patience.Token);
            if (again.StatusCode == HttpStatusCode.OK)
            {
                break;
            }
        }
    }

    [Fact]
    public async Task A_file_that_went_meanwhile_is_not_found()
    {
        await using var host = await StartAsync();
        using var http = Client(host);
        File.Delete(Path.Combine(In("model"), _manifest.Files[1].Name));
        using var response = await http.GetAsync(Blob(Name));
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public async Task Members_fetch_from_one_another_over_mutual_tls()
    {
        var (ours, _) = Certificates();
        await using var host = await StartAsync(certificate: ours[0]);
        var store = await FetchAsync(host, ours[1]);
        Assert.Equal(LayerRange.Whole(1), Assert.Single(store.Held(_model)));
        ours.ForEach(each => each.Dispose());
    }

    [Fact]
    public async Task Who_has_no_certificate_or_one_of_another_authority_gets_nothing()
    {
        var (ours, theirs) = Certificates();
        await using var host = await StartAsync(certificate: ours[0]);
        foreach (var shown in new[] { null, theirs })
        {
            using var handler = new HttpClientHandler
            {
#pragma warning disable CA5400, CA5399, CA5359 // An attacker does not check.
                ServerCertificateCustomValidationCallback = (_, _, _, _) => true,
#pragma warning restore CA5400, CA5399, CA5359
            };
            if (shown is not null)
            {
                handler.ClientCertificates.Add(shown.Certificate);
            }

            using var http = new HttpClient(handler) { BaseAddress = new Uri($"https://127.0.0.1:{host.Port}") };
            await Assert.ThrowsAsync<HttpRequestException>(() => http.GetAsync(Blob(Name)));
        }

        using var plain = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{host.Port}") };
        await Assert.ThrowsAsync<HttpRequestException>(() => plain.GetAsync(Blob(Name)));
        ours.Append(theirs).ToList().ForEach(each => each.Dispose());
    }

    [Fact]
    public async Task A_server_of_another_authority_is_not_asked_for_anything()
    {
        var (ours, theirs) = Certificates();
        await using var host = await StartAsync(certificate: theirs);
        var failures = new TaskCompletionSource<string>();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => FetchAsync(host, ours[0], failures));
        Assert.Contains("did not give the manifest", await failures.Task, StringComparison.Ordinal);
        ours.Append(theirs).ToList().ForEach(each => each.Dispose());
    }

    [Fact]
    public async Task Without_certificates_only_this_machine_is_served()
    {
        var error = await Assert.ThrowsAsync<UserErrorException>(() => BlobHost.StartAsync(new BlobHostSettings("0.0.0.0", Limits), _store, NullLoggerProvider.Instance));
        Assert.Contains("--cert", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_that_is_taken_is_named_with_the_setting_that_changes_it()
    {
        await using var first = await StartAsync();
        var error = await Assert.ThrowsAsync<UserErrorException>(() => StartAsync(Limits with { Port = first.Port }));
        Assert.Contains("efedllm.blobs.port", error.Message, StringComparison.Ordinal);
    }

    private static Uri Blob(string name) => new($"/blobs/{name}", UriKind.Relative);

    private static HttpClient Client(BlobHost host) => new() { BaseAddress = new Uri($"http://127.0.0.1:{host.Port}") };

    private Task<HttpResponseMessage> SendAsync(HttpClient http, HttpMethod method, string? range, string? condition = null)
    {
        var request = new HttpRequestMessage(method, Blob(Name));
        if (range is not null)
        {
            request.Headers.TryAddWithoutValidation("Range", range);
        }

        if (condition is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Range", condition);
        }

        return http.SendAsync(request);
    }

    private Task<BlobHost> StartAsync(BlobLimits? limits = null, BlobStore? store = null, NodeCertificate? certificate = null)
        => BlobHost.StartAsync(new BlobHostSettings("127.0.0.1", limits ?? Limits, certificate), store ?? _store, NullLoggerProvider.Instance);

    /// <summary>A store that gives a large companion file.</summary>
    private BlobStore Large(byte[] content, out string name)
    {
        var folder = In("large");
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, "large.json"), content);
        name = Convert.ToHexStringLower(SHA256.HashData(content));
        File.WriteAllBytes(Path.Combine(folder, ModelManifest.FileName), (_manifest with { Companions = [new CompanionFile("large.json", content.Length, name)] }).ToJson());
        var store = BlobStore.Open(In("large-store"), 1L << 30);
        store.AddFolder(folder);
        return store;
    }

    private (List<NodeCertificate> Ours, NodeCertificate Theirs) Certificates()
    {
        using var ours = CertificateAuthority.Create(In("ca"), "ours", Day);
        ours.Issue(In("a"), "a", ["127.0.0.1"], Day);
        ours.Issue(In("b"), "b", [], Day);
        using var theirs = CertificateAuthority.Create(In("other"), "ours", Day);
        theirs.Issue(In("x"), "b", [], Day);
        return ([NodeCertificate.Load(In("a")), NodeCertificate.Load(In("b"))], NodeCertificate.Load(In("x")));
    }

    private async Task<BlobStore> FetchAsync(BlobHost host, NodeCertificate certificate, TaskCompletionSource<string>? failure = null)
    {
        var store = BlobStore.Open(In("taker"), 1L << 30);
        using var patience = new CancellationTokenSource(Patience);
        using var fetcher = new BlobFetcher(store, Limits, certificate)
        {
            Failed = message =>
            {
                if (failure?.TrySetResult(message) == true)
                {
                    patience.Cancel();
                }
            },
        };
        var offer = new BlobOffer(host.Port, [new HeldFiles(_model, [LayerRange.Whole(1)])], []);
        fetcher.Follow([new BlobPeer(new DeviceId(new string('a', 32)), "giver", new Uri($"https://127.0.0.1:{host.Port}/"), offer)]);
        await fetcher.FetchManifestAsync(_model, patience.Token);
        await fetcher.FetchAsync(_model, LayerRange.Whole(1), new HashSet<string>(), new FetchProgress(), patience.Token);
        return store;
    }

    private string In(string name) => Path.Combine(_folder, name);
}
