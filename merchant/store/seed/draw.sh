#!/bin/bash
# draw.sh FOLDER: draws the pictures of the seed catalogue, one SVG for each product, into FOLDER.
# They are simple on purpose: flat shapes in three colours, on the ground of their category.
set -euo pipefail
out=${1:?usage: draw.sh FOLDER}

# draw NAME GROUND MAIN DARK: the shapes are on standard input, where $M and $D stand for colours.
draw() {
    local shapes
    shapes=$(cat)
    shapes=${shapes//\$M/$3}
    printf '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200" role="img">\n%s\n%s\n%s\n</svg>\n' \
        "<rect width=\"200\" height=\"200\" fill=\"$2\"/>" \
        '<ellipse cx="100" cy="172" rx="70" ry="8" fill="#000" fill-opacity=".12"/>' \
        "${shapes//\$D/$4}" >"$out/$1.svg"
}

kitchen='#f3ece1' tea='#e8efe2' desk='#e6ebf1' cloth='#f1e7e9' light='#f7f0d8'

draw teapot $kitchen '#6b8f71' '#4d6a52' <<'S'
<path d="M148 96q30-4 34-34l10 4q-2 46-44 58z" fill="$D"/>
<path d="M56 92q-38-6-36 26t44 26" fill="none" stroke="$D" stroke-width="10"/>
<ellipse cx="102" cy="118" rx="56" ry="52" fill="$M"/>
<path d="M66 76q36-22 72 0z" fill="$D"/><circle cx="102" cy="58" r="9" fill="$D"/>
S
draw cup $kitchen '#d98f5c' '#a9663a' <<'S'
<path d="M138 92q36-4 34 22t-40 26" fill="none" stroke="$D" stroke-width="11"/>
<path d="M48 78h96l-10 82q-38 14-76 0z" fill="$M"/><ellipse cx="96" cy="78" rx="48" ry="11" fill="$D"/>
S
draw bowl $kitchen '#7f9bb3' '#56708a' <<'S'
<path d="M28 88h144q-4 70-52 80H80q-48-10-52-80z" fill="$M"/><ellipse cx="100" cy="88" rx="72" ry="15" fill="$D"/>
S
draw plate $kitchen '#fbfaf7' '#c9bda9' <<'S'
<circle cx="100" cy="102" r="74" fill="$D"/><circle cx="100" cy="102" r="70" fill="$M"/>
<circle cx="100" cy="102" r="46" fill="none" stroke="$D" stroke-width="3"/>
S
draw jug $kitchen '#c8b48a' '#94814f' <<'S'
<path d="M136 70q40 0 36 34t-44 32" fill="none" stroke="$D" stroke-width="11"/>
<path d="M54 38q22 10 40 0l40 6-6 40q24 60-6 84H70q-30-26-4-84z" fill="$M"/>
<path d="M60 84h72" stroke="$D" stroke-width="4"/>
S
draw cutting-board $kitchen '#b98a58' '#8a6238' <<'S'
<rect x="52" y="56" width="96" height="114" rx="14" fill="$M"/><rect x="86" y="22" width="28" height="44" rx="12" fill="$M"/>
<circle cx="100" cy="36" r="6" fill="#f3ece1"/>
<path d="M72 72v84M100 72v84M128 72v84" stroke="$D" stroke-width="2"/>
S
packet() { # NAME MAIN DARK
    draw "$1" $tea "$2" "$3" <<'S'
<path d="M58 52h84v118H58z" fill="$M"/><path d="M58 52l8-18h68l8 18z" fill="$D"/>
<circle cx="100" cy="112" r="30" fill="#fff" fill-opacity=".85"/>
<path d="M84 124q4-34 36-30-2 32-36 30zm0 0l22-18" fill="$M" stroke="$D" stroke-width="2"/>
S
}
packet green-tea '#7fae6b' '#4f7d3f'
packet black-tea '#8a5a44' '#5a3626'
packet herbal-tea '#d3a13f' '#97701f'
draw tea-tin $tea '#4a6d7c' '#2f4a56' <<'S'
<rect x="54" y="64" width="92" height="106" rx="6" fill="$M"/><rect x="50" y="42" width="100" height="28" rx="6" fill="$D"/>
<rect x="54" y="96" width="92" height="34" fill="#fff" fill-opacity=".8"/>
S
draw tea-strainer $tea '#b8bfc4' '#7d868c' <<'S'
<path d="M50 96h100q-4 58-50 62-46-4-50-62z" fill="$M"/>
<path d="M66 112h68M72 126h56M82 140h36M78 100v40M100 100v54M122 100v40" stroke="$D" stroke-width="2"/>
<path d="M46 96h112l26-34" fill="none" stroke="$D" stroke-width="8" stroke-linecap="round"/>
S
draw notebook $desk '#3f5b8c' '#263a5e' <<'S'
<rect x="50" y="34" width="104" height="136" rx="6" fill="$M"/><rect x="50" y="34" width="18" height="136" fill="$D"/>
<rect x="86" y="58" width="50" height="26" rx="3" fill="#fff" fill-opacity=".85"/><path d="M140 34v136" stroke="$D" stroke-width="4"/>
S
draw pencils $desk '#e0b13c' '#a67c18' <<'S'
<g transform="rotate(-14 100 110)"><path d="M60 56l11-24 11 24v106H60z" fill="$M"/><path d="M64 47l7-15 7 15z" fill="#333"/></g>
<g transform="rotate(2 100 110)"><path d="M90 52l11-24 11 24v110H90z" fill="#c4574c"/><path d="M94 43l7-15 7 15z" fill="#333"/></g>
<g transform="rotate(16 100 110)"><path d="M120 56l11-24 11 24v106h-22z" fill="$D"/><path d="M124 47l7-15 7 15z" fill="#333"/></g>
S
draw fountain-pen $desk '#2d3e50' '#b8963e' <<'S'
<g transform="rotate(40 100 100)"><rect x="88" y="20" width="24" height="98" rx="10" fill="$M"/>
<rect x="88" y="66" width="24" height="6" fill="$D"/><path d="M90 118h20l-10 46z" fill="$D"/>
<path d="M100 130v34" stroke="$M" stroke-width="2"/></g>
S
draw pen-tray $desk '#a9764a' '#75502e' <<'S'
<rect x="20" y="84" width="160" height="70" rx="16" fill="$M"/><rect x="34" y="96" width="132" height="46" rx="12" fill="$D"/>
<rect x="44" y="108" width="104" height="8" rx="4" fill="#e6ebf1"/><rect x="58" y="124" width="92" height="8" rx="4" fill="#e0b13c"/>
S
draw linen-bag $cloth '#d9cbb0' '#a3906a' <<'S'
<path d="M70 74V52q30-36 60 0v22" fill="none" stroke="$D" stroke-width="8"/><path d="M44 72h112l10 98H34z" fill="$M"/>
<path d="M44 84h112" stroke="$D" stroke-width="2" stroke-dasharray="5 4"/>
S
draw kitchen-towel $cloth '#f7f4ee' '#b5504a' <<'S'
<path d="M56 26h88v142H56z" fill="$M"/><path d="M56 138h88M56 148h88M56 40h88" stroke="$D" stroke-width="5"/>
<path d="M100 26v-8" stroke="$D" stroke-width="4"/>
S
draw apron $cloth '#5d7a8c' '#3c5363' <<'S'
<path d="M78 62q-6-40 22-40t22 40" fill="none" stroke="$D" stroke-width="6"/><path d="M76 58h48l8 38 26 12-8 62H50l-8-62 26-12z" fill="$M"/>
<rect x="76" y="116" width="48" height="30" rx="4" fill="$D"/>
S
draw cushion $cloth '#c77d88' '#9a525d' <<'S'
<path d="M36 46q64 14 128 0-12 60 0 118-64-12-128 0 12-58 0-118z" fill="$M"/>
<path d="M60 72l80 70M140 72l-80 70" stroke="$D" stroke-width="4"/><circle cx="100" cy="107" r="8" fill="$D"/>
S
draw wool-blanket $cloth '#8d9a6f' '#636f49' <<'S'
<rect x="34" y="118" width="132" height="48" rx="14" fill="$M"/><rect x="34" y="74" width="132" height="48" rx="14" fill="$D"/>
<rect x="34" y="58" width="132" height="38" rx="14" fill="$M"/><path d="M60 58v108M140 58v108" stroke="#f1e7e9" stroke-width="4"/>
S
draw beeswax-candle $light '#e3b04b' '#b27f1f' <<'S'
<rect x="80" y="72" width="40" height="98" rx="5" fill="$M"/><path d="M100 72V58" stroke="#333" stroke-width="3"/>
<path d="M100 22q20 26 0 40-20-14 0-40z" fill="#ef8a3a"/><path d="M80 96l40-12M80 126l40-12M80 156l40-12" stroke="$D" stroke-width="3"/>
S
draw candle-holder $light '#b08d57' '#7c602f' <<'S'
<path d="M40 150h120l-12 20H52z" fill="$M"/><path d="M94 96h12v56H94z" fill="$D"/><path d="M76 82h48l-8 18H84z" fill="$M"/>
<path d="M158 150q26-24 0-36" fill="none" stroke="$D" stroke-width="7"/>
S
draw lantern $light '#4a4a48' '#2f2f2d' <<'S'
<path d="M74 40q26-34 52 0" fill="none" stroke="$D" stroke-width="6"/><path d="M60 58l16-18h48l16 18z" fill="$D"/>
<rect x="62" y="58" width="76" height="96" fill="#fff3c4"/><path d="M100 84q16 22 0 34-16-12 0-34z" fill="#ef8a3a"/>
<path d="M62 58v96M138 58v96M100 58v20" stroke="$M" stroke-width="6"/><rect x="54" y="152" width="92" height="18" rx="4" fill="$M"/>
S
draw desk-lamp $light '#c2503f' '#3b3b3b' <<'S'
<path d="M70 164h76l-8-14H78z" fill="$D"/><path d="M108 152L84 98l44-36" fill="none" stroke="$D" stroke-width="8" stroke-linejoin="round"/>
<path d="M112 40l40 34-20 24-46-40z" fill="$M"/><path d="M132 98l20-24 14 40z" fill="#ffe9a8"/>
S
