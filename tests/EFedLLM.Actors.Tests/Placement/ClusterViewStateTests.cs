using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Akka.Actor;
using Akka.Cluster;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Placement;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Tests.Placement;

public sealed class ClusterViewStateTests
{
    private static readonly Address A = new("akka.tcp", "efedllm", "127.0.0.1", 1001);
    private static readonly Address B = new("akka.tcp", "efedllm", "127.0.0.1", 1002);
    private static readonly Address C = new("akka.tcp", "efedllm", "127.0.0.1", 1003);
    private static readonly ClusterViewState Empty = new(A);

    [Fact]
    public void Devices_of_nodes_that_are_not_up_are_left_out_and_those_of_unreachable_ones_are_not()
    {
        var state = Empty
            .WithDevices([Facts.Entry(Facts.Device('a', A)), Facts.Entry(Facts.Device('b', B)), Facts.Entry(Facts.Device('c', C))])
            .With(Id(A), Node(A, MemberStatus.Up))
            .With(Id(B), Node(B, MemberStatus.Joining))
            .WithReachable(Id(A), false);
        Assert.Equal(["a"], state.View().Devices.Select(device => device.Name));
        Assert.False(state.View().IsReachable(A));

        var later = state.WithStatus(Id(B), Node(B, MemberStatus.Up)).WithReachable(Id(A), true);
        Assert.Equal(["a", "b"], later.View().Devices.Select(device => device.Name));
        Assert.True(later.View().IsReachable(A));
        Assert.Equal(["b"], later.Without(Id(A)).View().Devices.Select(device => device.Name));
    }

    [Fact]
    public void A_standing_counts_of_a_ledger_node_and_of_one_that_is_gone_but_of_no_other_member()
    {
        var (a, b, c) = (Standing('a', A), Standing('b', B), Standing('c', C));
        var state = Empty
            .With(Id(A), Node(A, MemberStatus.Up) with { Roles = ["ledger"] })
            .With(Id(B), Node(B, MemberStatus.Up) with { Roles = ["device", "gateway"] })
            .WithStandings([new(a.Device.Value, a), new(b.Device.Value, b), new(c.Device.Value, c), new(new string('e', 32), a)]);
        Assert.Equal([a.Device, c.Device], state.View().Standings.Keys.OrderBy(device => device.Value));
        Assert.True(state.View().IsExcluded(a.Device));
        Assert.False(state.View().IsExcluded(b.Device));
        Assert.Equal(TrustTier.Probation, state.View().TierOf(b.Device));

        static DeviceStanding Standing(char digit, Address ledger) => new(new DeviceId(new string(digit, 32)), TrustTier.Excluded, TrustTier.Full, 20, 1, ledger);
    }

    [Fact]
    public void A_change_of_state_does_not_make_a_silent_node_reachable()
    {
        var state = Empty.With(Id(B), Node(B, MemberStatus.Up)).WithReachable(Id(B), false).WithStatus(Id(B), Node(B, MemberStatus.Leaving));
        Assert.False(Assert.Single(state.View().Members).Reachable);
    }

    [Fact]
    public void A_node_to_which_no_connection_comes_about_is_not_reachable_until_one_does()
    {
        var state = Empty.With(Id(B), Node(B, MemberStatus.Up)).WithConnection(B, false);
        Assert.False(state.View().IsReachable(B));
        Assert.Same(state, state.WithConnection(B, false));
        Assert.True(state.WithConnection(B, true).View().IsReachable(B));
    }

    [Fact]
    public void A_model_that_two_gateways_ask_for_is_there_once_and_until_both_are_gone()
    {
        var model = Facts.Model('1', "mini", 4);
        var state = Empty
            .WithModels([new(FactKeys.ModelEntry(A, model.Model), model), new(FactKeys.ModelEntry(B, model.Model), model)])
            .With(Id(A), Node(A, MemberStatus.Up))
            .With(Id(B), Node(B, MemberStatus.Leaving));
        Assert.Equal(model, Assert.Single(state.View().Models));
        Assert.Single(state.Without(Id(A)).View().Models);
        Assert.Empty(state.Without(Id(A)).Without(Id(B)).View().Models);
    }

    [Fact]
    public void Models_stand_in_order_of_their_names_and_members_in_order_of_their_addresses()
    {
        var (big, mini) = (Facts.Model('1', "mini", 4), Facts.Model('2', "big", 4));
        var view = Empty
            .WithModels([new(FactKeys.ModelEntry(A, big.Model), big), new(FactKeys.ModelEntry(A, mini.Model), mini)])
            .With(Id(C), Node(C, MemberStatus.Up))
            .With(Id(A), Node(A, MemberStatus.Up))
            .With(Id(B), Node(B, MemberStatus.Up))
            .View();
        Assert.Equal(["big", "mini"], view.Models.Select(model => model.Name));
        Assert.Equal([A, B, C], view.Members.Select(member => member.Address));
    }

    [Fact]
    public void A_process_that_restarted_at_the_same_address_counts_once_and_survives_the_end_of_the_one_before()
    {
        var state = Empty.With(Id(B, 1), Node(B, MemberStatus.Down)).With(Id(B, 2), Node(B, MemberStatus.Up));
        Assert.Equal(MemberStatus.Up, Assert.Single(state.View().Members).Status);
        Assert.Single(state.Without(Id(B, 1)).View().Members);
        Assert.Empty(state.Without(Id(B, 1)).Without(Id(B, 2)).View().Members);
    }

    [Fact]
    public void An_entry_under_a_key_that_is_not_its_own_is_not_believed()
    {
        var device = Facts.Device('a', A);
        var plan = new PlacementPlan(Facts.Model('1', "mini", 2).Model, 1, [], null);
        var model = Facts.Model('2', "other", 2);
        var view = Empty
            .With(Id(A), Node(A, MemberStatus.Up))
            .WithDevices([new(new string('b', 32), device)])
            .WithPlans([new(new string('c', 64), plan)])
            .WithModels([new($"{A} {new string('0', 64)}", model), new("nonsense", model)])
            .View();
        Assert.Empty(view.Devices);
        Assert.Empty(view.Plans);
        Assert.Empty(view.Models);
    }

    [Fact]
    public void Without_an_authority_a_device_says_itself_whose_it_is_and_no_certificate_counts()
    {
        var view = Empty
            .With(Id(A), Node(A, MemberStatus.Up))
            .WithDevices([Facts.Entry(Facts.Device('a', A) with { Owner = "anna", Certificate = new byte[9] }), Facts.Entry(Facts.Device('b', A))])
            .View();
        Assert.Equal(["anna", null], view.Devices.Select(device => device.Owner));
        Assert.All(view.Devices, device => Assert.True(device.Certificate.IsEmpty));
        Assert.False(view.ShowsOwners);
    }

    [Fact]
    public void With_an_authority_only_what_it_signed_says_whose_a_device_is()
    {
        var folder = Directory.CreateTempSubdirectory("efedllm-view-").FullName;
        try
        {
            using var ours = CertificateAuthority.Create(Path.Combine(folder, "ours"), "ours", TimeSpan.FromDays(1));
            using var theirs = CertificateAuthority.Create(Path.Combine(folder, "theirs"), "ours", TimeSpan.FromDays(1));
            var (a, b, c, d, e) = (Facts.Device('a', A), Facts.Device('b', A), Facts.Device('c', A), Facts.Device('d', A), Facts.Device('e', A));
            var state = new ClusterViewState(A, ours.PublicCertificate())
                .With(Id(A), Node(A, MemberStatus.Up))
                .WithDevices([
                    Facts.Entry(a with { Owner = "forged", Certificate = Certificate(ours, a, "anna") }),
                    Facts.Entry(b with { Owner = "forged", Certificate = Certificate(ours, a, "anna") }),
                    Facts.Entry(c with { Owner = "forged", Certificate = Certificate(theirs, c, "forged") }),
                    Facts.Entry(d with { Owner = "forged" }),
                    Facts.Entry(e with { Owner = "forged", Certificate = Certificate(ours, e, null) }),
                ]);
            Assert.Equal(["anna", null, null, null, null], state.View().Devices.Select(device => device.Owner));
            Assert.Equal([false, true, true, true, false], state.View().Devices.Select(device => device.Certificate.IsEmpty));
            Assert.True(state.View().ShowsOwners);

            // What was judged once holds for that certificate alone.
            Assert.Equal("bert", Owner(state.WithDevices([Facts.Entry(a with { Certificate = Certificate(ours, a, "bert") })])));
            Assert.Null(Owner(state.WithDevices([Facts.Entry(a with { Owner = "anna", Certificate = Certificate(theirs, a, "anna") })])));
            Assert.Null(Owner(state.WithDevices([Facts.Entry(a with { Owner = "anna" })])));
            Assert.Equal("anna", Owner(state.WithDevices([Facts.Entry(state.View().Devices[0] with { Owner = "forged" })])));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        static string? Owner(ClusterViewState state) => Assert.Single(state.View().Devices).Owner;

        static byte[] Certificate(CertificateAuthority authority, DeviceAnnouncement device, string? owner)
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            using var certificate = X509Certificate2.CreateFromPem(authority.Sign(new PublicKey(key), device.Name, device.Device, TimeSpan.FromDays(1), owner));
            return certificate.RawData;
        }
    }

    [Fact]
    public void News_of_a_node_that_is_gone_mean_nothing() => Assert.Empty(Empty.WithReachable(Id(B), true).View().Members);

    private static UniqueAddress Id(Address address, int uid = 1) => new(address, uid);

    private static NodeView Node(Address address, MemberStatus status) => new(address, [], status, true, "0.1.0");
}
