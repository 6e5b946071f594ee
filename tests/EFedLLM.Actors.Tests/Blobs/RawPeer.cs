using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using EFedLLM.Actors.Blobs;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Tests.Blobs;

/// <summary>A peer of a few lines on a real socket: it gives the files of a model, and misbehaves as a test tells it.</summary>
internal sealed class RawPeer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly Dictionary<string, byte[]> _files;
    private readonly DeviceId _device;
    private readonly ImmutableArray<HeldFiles> _held;
    private readonly ConcurrentBag<Task> _connections = [];
    private readonly Task _accepting;

    public RawPeer(char digit, BlobModel model, LayerRange? units = null)
    {
        _device = new DeviceId(new string(digit, 32));
        _held = [new HeldFiles(model.Id, [units ?? model.Whole])];
        _files = Enumerable.Range(0, model.Manifest.Files.Length).ToDictionary(unit => model.Manifest.Files[unit].Sha256, model.FileOf);
        _files[model.Id.Value] = model.Json;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>What it does with each request: gets what was asked for and the honest body, writes an answer.</summary>
    public Func<Request, NetworkStream, CancellationToken, Task> Answer { get; set; } = Honest;

    /// <summary>What was asked of it.</summary>
    public ConcurrentQueue<Request> Asked { get; } = [];

    public DeviceId Device => _device;

    public BlobPeer Peer => new(_device, $"peer {_device.Value[0]}", new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/"), new BlobOffer(1, _held, []));

    public static Task Honest(Request request, NetworkStream stream, CancellationToken cancellation) => request.SendAsync(stream, request.Body, cancellation);

    /// <summary>Changes one bit of what it gives.</summary>
    public static Task Lie(Request request, NetworkStream stream, CancellationToken cancellation)
    {
        var body = request.Body.ToArray();
        body[body.Length / 2] ^= 1;
        return request.SendAsync(stream, body, cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections);
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _connections.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_end.Token)));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                var stream = client.GetStream();
                while (await ReadHeadAsync(stream) is { } head)
                {
                    var name = head.Split(' ')[1].Split('/')[^1];
                    var file = _files[name];
                    var range = head.Split("\r\n").FirstOrDefault(line => line.StartsWith("Range:", StringComparison.OrdinalIgnoreCase))?.Split('=')[1].Split('-');
                    var (from, to) = range is null ? (0, file.Length - 1) : (int.Parse(range[0], CultureInfo.InvariantCulture), int.Parse(range[1], CultureInfo.InvariantCulture));
                    var request = new Request(name, from, to, file.Length, range is not null, file.AsMemory(from, to - from + 1));
                    Asked.Enqueue(request);
                    await Answer(request, stream, _end.Token);
                }
            }
            catch (Exception e) when (e is OperationCanceledException or IOException or ObjectDisposedException)
            {
                // Whoever asked has gone, or the test is over.
            }
        }
    }

    private async Task<string?> ReadHeadAsync(NetworkStream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (await stream.ReadAsync(one, _end.Token) > 0)
        {
            head.Append((char)one[0]);
            if (head.Length >= 4 && head.ToString(head.Length - 4, 4) == "\r\n\r\n")
            {
                return head.ToString();
            }
        }

        return null;
    }

    /// <summary>A request and the honest answer's body.</summary>
    internal sealed record Request(string Name, int From, int To, int Total, bool IsRange, ReadOnlyMemory<byte> Body)
    {
        public async Task SendAsync(NetworkStream stream, ReadOnlyMemory<byte> body, CancellationToken cancellation, string? range = null, int? length = null)
        {
            await HeadAsync(stream, cancellation, range, length ?? body.Length);
            await stream.WriteAsync(body, cancellation);
        }

        public async Task HeadAsync(NetworkStream stream, CancellationToken cancellation, string? range = null, long? length = null, string? status = null)
        {
            var head = $"HTTP/1.1 {status ?? (IsRange ? "206 Partial Content" : "200 OK")}\r\nContent-Length: {length ?? Body.Length}\r\n"
                + (IsRange && status is null ? $"Content-Range: {range ?? $"bytes {From}-{To}/{Total}"}\r\n" : "") + "\r\n";
            await stream.WriteAsync(Encoding.ASCII.GetBytes(head), cancellation);
        }
    }
}
