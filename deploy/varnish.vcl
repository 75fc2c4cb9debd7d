# Varnish in front of Frontrow. What is the same for everyone is kept for as long as its Cache-Control says (s-maxage, then
# stale-while-revalidate as grace); of everyone who misses it, one asks for it. All else goes through.
# Name this machine in FRONTROW_TRUSTED_PROXIES, or everybody behind it shares one rate limit.
vcl 4.1;

backend frontrow {
    .host = "127.0.0.1";
    .port = "8080";
}

sub vcl_recv {
    # A stream has no end that one could wait for.
    if (req.url ~ "^/event/[^/]+/seats/stream$") {
        return (pipe);
    }
    if ((req.method == "GET" || req.method == "HEAD") &&
        req.url ~ "^/($|\?|events/|event$|event[/?]|layout/|art/|assets/|openapi.json$)") {
        # The same bytes whoever asks.
        unset req.http.Cookie;
        unset req.http.Authorization;
        return (hash);
    }
    return (pass);
}

sub vcl_backend_response {
    # What is past its time is asked for by its ETag, and comes back as 304 where it is still the same.
    set beresp.keep = 1h;
}

sub vcl_deliver {
    if (obj.hits > 0) {
        set resp.http.X-Cache = "HIT";
    } else {
        set resp.http.X-Cache = "MISS";
    }
}
