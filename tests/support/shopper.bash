# A shopper without a browser: curl with a jar of cookies. Sourced behind sandbox.bash; needs $shop.
#
#   visit PATH OPTION...       asks; the page is in $tmp/page, the header in $tmp/head, the status printed
#   form_of PATH               a page's token of forms
#   put SKU QUANTITY           into the cart
#   order FIELD=VALUE...       to the checkout with an address, and those fields instead; prints where it leads
#   checkout_form FIELD=VALUE...   the same, but the form is not sent: the array fields has NAME=VALUE of it
#
# jar names the cookies' file; each shopper has one.
# shellcheck shell=bash disable=SC2154
jar=$tmp/jar

visit() {
    local path=$1
    shift
    curl -sS --path-as-is -m 20 -b "$jar" -c "$jar" -o "$tmp/page" -D "$tmp/head" -w '%{http_code}' "$@" "$shop$path"
}
value_of() { sed -n "s/.*name=\"$1\" value=\"\([^\"]*\)\".*/\1/p" "$tmp/page" | head -n 1; }
leads_to() { sed -n 's/^[Ll]ocation: \([^\r]*\).*/\1/p' "$tmp/head"; }
form_of() {
    visit "$1" >/dev/null
    value_of form
}
put() {
    local form
    form=$(form_of /products/jug)
    visit /cart/add -d "form=$form" -d "sku=$1" -d "quantity=$2" >/dev/null
    leads_to
}
checkout_form() {
    local field form seen
    fields=()
    visit /checkout >/dev/null
    form=$(value_of form) seen=$(value_of seen)
    for field in "form=$form" "seen=$seen" "once=$(value_of once)" "goods=$(value_of goods)" "name=Ada" "street=Weg 1" "postal_code=10115" "city=Berlin" "country=DE" \
        "shipping_method=parcel"; do
        case " $* " in *" ${field%%=*}="*) ;; *) fields+=("$field") ;; esac
    done
    fields+=("$@")
}
order() {
    local fields=() field data=()
    checkout_form "$@"
    for field in "${fields[@]}"; do data+=(--data-urlencode "$field"); done
    visit /checkout "${data[@]}" >/dev/null
    leads_to
}
